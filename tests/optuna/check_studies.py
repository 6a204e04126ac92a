"""Checks that Optuna and Carnyx work on the same studies, in SQLite and in PostgreSQL.

Usage: python check_studies.py [--cargo "cargo run --quiet --package carnyx-tests --bin worker --"] [--folder DIR]

Needs optuna, optuna-dashboard and psycopg2-binary. Carnyx searches with the program
`tests/worker.rs`; Optuna loads the study, finds every number as it was written,
continues it with its own sampler, and Carnyx continues that. A study that Optuna
began goes the same way. Programs are killed, and the other side takes their trials
up again. optuna-dashboard shows it all by its HTTP API, and the tables of both are
compared. PostgreSQL is started here, on loopback, with its data in the folder; if
it is not installed and cannot be, that part is SKIPPED, by name.
"""

import argparse
import glob
import json
import math
import os
import pathlib
import pwd
import re
import shlex
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings

import optuna
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import TrialState

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(sys.executable).parent


def check(holds, what):
    if not holds:
        raise SystemExit(f"FAILED: {what}")


class Worker:
    """Carnyx, working on a study."""

    def __init__(self, command, place):
        self.command, self.place = command, place

    def start(self, study, *arguments):
        command = [*self.command, self.place, study, *map(str, arguments)]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, study, trials, *arguments):
        process = self.start(study, trials, *arguments)
        said, _ = process.communicate(timeout=120)
        check(process.returncode == 0, f"a worker on `{study}` in {self.place} ended with {process.returncode}")
        return [int(line) for line in said.split()]


def kill(process):
    process.kill()
    process.communicate()


def objective(trial):
    """What the worker computes, asked for by Optuna."""
    x = trial.suggest_float("x", -1.0, 1.0)
    trial.suggest_int("units", 16, 256, step=16)
    trial.suggest_categorical("optimizer", ["sgd", "adam"])
    for step in range(3):
        trial.report((x - 0.3) ** 2 + 1 / (step + 1), step)
    return (x - 0.3) ** 2


def check_trials(study, trials):
    """Each trial says what the worker has computed."""
    for trial in trials:
        x = trial.params["x"]
        check(trial.state == TrialState.COMPLETE, f"trial {trial.number} is {trial.state}")
        check(trial.value == (x - 0.3) ** 2, f"trial {trial.number} at {x} has the value {trial.value}")
        reports = {step: (x - 0.3) ** 2 + 1 / (step + 1) for step in range(3)}
        check(trial.intermediate_values == reports, f"trial {trial.number} reported {trial.intermediate_values}")
        check(trial.params["units"] % 16 == 0 and isinstance(trial.params["units"], int), "units are steps of 16")
        check(trial.params["optimizer"] in ("sgd", "adam"), "an optimizer is chosen")
        seconds = (trial.datetime_complete - trial.datetime_start).total_seconds()
        check(0 <= seconds < 60, f"trial {trial.number} took {seconds} s")
        age = time.time() - trial.datetime_complete.timestamp()
        check(-1 < age < 600, f"trial {trial.number} ended {age} s ago, says its clock")
    numbers = [trial.number for trial in study.get_trials()]
    check(numbers == list(range(len(numbers))), f"the numbers are {numbers}")


def by_carnyx_then_optuna(worker, storage):
    """Two workers begin a study, Optuna continues it, and Carnyx after that."""
    workers = [worker.start("ours", 12) for _ in range(2)]
    numbers = sorted(int(line) for process in workers for line in process.communicate()[0].split())
    check(all(process.returncode == 0 for process in workers), "two workers end well")
    check(numbers == list(range(len(numbers))), f"two workers have run {numbers}")

    study = optuna.load_study(study_name="ours", storage=storage, sampler=optuna.samplers.TPESampler(seed=1))
    check(study.direction == optuna.study.StudyDirection.MINIMIZE, "the direction")
    ours = study.get_trials()
    check_trials(study, ours)
    check(all(trial.user_attrs["process"].isdigit() for trial in ours), "notes are user attributes")
    check(study.best_value == min(trial.value for trial in ours), "the best trial")
    kinds = ours[0].distributions
    check(
        kinds
        == {
            "x": optuna.distributions.FloatDistribution(-1.0, 1.0),
            "units": optuna.distributions.IntDistribution(16, 256, step=16),
            "optimizer": optuna.distributions.CategoricalDistribution(["sgd", "adam"]),
        },
        f"the distributions are {kinds}",
    )

    study.optimize(objective, n_trials=15)
    study.enqueue_trial({"x": 0.5, "units": 32, "optimizer": "adam"})
    count = len(study.get_trials())
    more = worker.run("ours", count + 3)
    check(more == list(range(count - 1, count + 3)), f"after {count - 1} trials of both, Carnyx ran {more}")
    trials = study.get_trials()
    check_trials(study, trials)
    check(trials[count - 1].params["x"] == 0.5, "a trial that Optuna enqueued has its values")
    check(trials[count - 1].params["optimizer"] == "adam", "a choice that Optuna enqueued")


def by_optuna_then_carnyx(worker, storage):
    """Optuna begins a study with whatever a value can be."""
    study = optuna.create_study(study_name="theirs", storage=storage, direction="minimize")

    def odd(trial):
        if trial.number == 1:
            raise ValueError("this one fails")
        value = objective(trial)
        trial.report(math.nan, 3)
        trial.report(math.inf, 4)
        trial.set_user_attr("said", {"a": [1, "ä", None]})
        if trial.number == 2:
            raise optuna.TrialPruned()
        return [value, 0, 0, math.inf, -math.inf, math.nan][min(trial.number, 5)]

    study.optimize(odd, n_trials=6, catch=(ValueError,))
    states = [trial.state for trial in study.get_trials()]
    complete = states.count(TrialState.COMPLETE)
    before = study.get_trials()
    check(worker.run("theirs", complete + 4) == [6, 7, 8, 9], "Carnyx continues Optuna's study")
    after = study.get_trials()
    check(repr(after[:6]) == repr(before), "what has ended has not changed")
    check_trials(study, after[6:])


def killed_programs(worker, url):
    """Each side takes up what the other abandoned."""
    process = worker.start("killed", "wait")
    check(process.stdout.readline().strip() == "0", "a worker has trial 0")
    kill(process)
    storage = RDBStorage(
        url,
        heartbeat_interval=1,
        grace_period=1,
        heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=3),
    )
    time.sleep(2.5)
    study = optuna.load_study(study_name="killed", storage=storage)
    study.optimize(objective, n_trials=1)
    first, again = study.get_trials()
    check(first.state == TrialState.FAIL and again.state == TrialState.COMPLETE, "Optuna takes up a trial of Carnyx")
    check(again.params == first.params, "with the same parameters")

    hanging = f"""
import optuna, sys, time
storage = optuna.storages.RDBStorage({url!r}, heartbeat_interval=60, grace_period=60)
def objective(trial):
    trial.suggest_float("x", -1.0, 1.0)
    print(trial.number, flush=True)
    time.sleep(600)
optuna.logging.disable_default_handler()
optuna.load_study(study_name="killed", storage=storage).optimize(objective, n_trials=1)
"""
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", hanging], stdout=subprocess.PIPE, text=True)
    check(process.stdout.readline().strip() == "2", "Optuna has trial 2")
    kill(process)
    time.sleep(2.5)
    check(worker.run("killed", 2, 1) == [3], "Carnyx takes up a trial of Optuna")
    trials = study.get_trials()
    check(trials[2].state == TrialState.FAIL, "what was abandoned has failed")
    check(trials[3].params["x"] == trials[2].params["x"], "with the same parameters")
    check(RetryHeartbeatStaleTrialCallback.retry_history(trials[3]) == [2], "Optuna knows what was tried again")


def dashboard(url):
    """What optuna-dashboard says over HTTP."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [PROGRAMS / "optuna-dashboard", url, "--port", str(port), "--server", "wsgiref", "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def ask(path):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/{path}", timeout=20) as answer:
                return json.load(answer)

        for attempt in range(100):
            try:
                studies = ask("studies")["study_summaries"]
                break
            except OSError:
                check(attempt < 99 and process.poll() is None, "optuna-dashboard starts")
                time.sleep(0.3)
        names = {study["study_name"]: study["study_id"] for study in studies}
        check({"ours", "theirs", "killed"} <= set(names), f"optuna-dashboard has the studies {sorted(names)}")
        for name in ("ours", "killed"):
            detail = ask(f"studies/{names[name]}")
            check(detail["name"] == name and detail["directions"] == ["minimize"], "name and direction")
            check(detail["has_intermediate_values"], "values by step")
            states = [trial["state"] for trial in detail["trials"]]
            check(set(states) <= {"Complete", "Fail"}, f"states are {states}")
            attributes = {entry["key"] for trial in detail["trials"] for entry in trial["user_attrs"]}
            check("process" in attributes, "notes are shown")
            if name == "killed":
                check("error" in attributes, "why a trial has failed is shown")
        importances = ask(f"studies/{names['ours']}/param_importances")["param_importances"]
        best = max(importances[0], key=lambda entry: entry["importance"])
        check(best["name"] == "x", f"the parameter that counts is {best['name']}")
    finally:
        process.terminate()
        process.wait()


def sqlite_tables(path):
    """Each table and index in one line, whatever its spaces."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
        return sorted(re.sub(r"\s*([(),])\s*", r"\1", " ".join(sql.split())) for (sql,) in rows)


def in_sqlite(command, folder):
    path = folder / "study.db"
    url = f"sqlite:///{path}"
    all_of_it(Worker(command, str(path)), url)
    optuna.create_study(storage=f"sqlite:///{folder}/optuna.db")
    check(sqlite_tables(path) == sqlite_tables(folder / "optuna.db"), "the tables in SQLite are Optuna's")
    print("SQLite: ok")


def postgres_programs():
    """Where PostgreSQL's programs are; nothing, if they cannot be had."""
    def found():
        folders = glob.glob("/usr/lib/postgresql/*/bin/initdb") + [shutil.which("initdb") or ""]
        return pathlib.Path(folders[0]).parent if folders[0] else None

    if not found() and os.geteuid() == 0 and shutil.which("apt-get"):
        for arguments in (["update"], ["install", "--yes", "--no-install-recommends", "postgresql"]):
            subprocess.run(["apt-get", "--quiet", "--quiet", *arguments], check=False, stdout=subprocess.DEVNULL)
    return found()


def in_postgres(command, folder):
    programs = postgres_programs()
    if not programs:
        print("SKIPPED: studies in PostgreSQL, which is not installed (apt-get install postgresql)")
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    # The server refuses to run as root; it gets a folder of its own, which others may pass through.
    home = pathlib.Path(tempfile.mkdtemp(prefix="carnyx-postgres-"))
    user = {"user": "nobody", "cwd": home} if os.geteuid() == 0 else {"cwd": home}
    if os.geteuid() == 0:
        os.chown(home, pwd.getpwnam("nobody").pw_uid, -1)
    data = home / "data"
    (home / "password").write_text("a secret")
    (home / "password").chmod(0o644)
    run = lambda *words: subprocess.run(words, check=True, stdout=subprocess.DEVNULL, **user)
    run(programs / "initdb", "-D", data, "-U", "carnyx", "-A", "scram-sha-256", f"--pwfile={home}/password", "--no-sync")
    # A time zone of its own: heartbeats and trials must not mix it with UTC.
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {home} -c fsync=off -c timezone=Asia/Tokyo"
    run(programs / "pg_ctl", "-D", data, "-o", options, "-l", home / "log", "-w", "start")
    try:
        environment = {**os.environ, "PGPASSWORD": "a secret", "PGHOST": "127.0.0.1", "PGPORT": port, "PGUSER": "carnyx"}
        for name in ("ours", "optuna"):
            subprocess.run([programs / "createdb", name], check=True, env=environment)
        url = f"postgresql+psycopg2://carnyx:a%20secret@127.0.0.1:{port}"
        all_of_it(Worker(command, f"{url}/ours"), f"{url}/ours")
        optuna.create_study(storage=f"{url}/optuna")
        dumps = []
        for name in ("ours", "optuna"):
            dump = [programs / "pg_dump", "--schema-only", "--no-owner", name]
            text = subprocess.run(dump, check=True, env=environment, capture_output=True, text=True).stdout
            dumps.append([line for line in text.splitlines() if "restrict" not in line])
        check(dumps[0] == dumps[1], "the tables in PostgreSQL are Optuna's")
        worker = Worker(command, f"{url}/ours").start("restarted", "wait")
        check(worker.stdout.readline().strip() == "0", "a worker has trial 0")
        run(programs / "pg_ctl", "-D", data, "-o", options, "-l", home / "log", "-m", "fast", "-w", "restart")
        worker.communicate("go on\n")
        check(worker.returncode == 0, "a worker connects again after the server was restarted")
        wrong = subprocess.run(
            [*command, f"postgresql://carnyx:not-the-secret@127.0.0.1:{port}/ours", "ours", "1"],
            capture_output=True,
            text=True,
        )
        check(wrong.returncode != 0 and "lets nobody in" in wrong.stderr, f"a wrong password: {wrong.stderr}")
        check("secret" not in wrong.stderr.replace("a secret", ""), "no message shows a password")
        missing = subprocess.run([*command, f"{url}/nothing", "ours", "1"], capture_output=True, text=True)
        check("has no such database" in missing.stderr, f"a missing database: {missing.stderr}")
    finally:
        run(programs / "pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(home)
    print("PostgreSQL: ok")


def all_of_it(worker, url):
    by_carnyx_then_optuna(worker, url)
    by_optuna_then_carnyx(worker, url)
    killed_programs(worker, url)
    dashboard(url)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cargo", default="cargo run --quiet --package carnyx-tests --bin worker --")
    parser.add_argument("--folder", type=pathlib.Path)
    arguments = parser.parse_args()
    os.chdir(ROOT)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    # What Optuna warns about in a study of ours is a mistake of ours.
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    command = shlex.split(arguments.cargo)
    folder = arguments.folder or pathlib.Path(tempfile.mkdtemp(prefix="carnyx-studies-"))
    folder.mkdir(parents=True, exist_ok=True)
    in_sqlite(command, folder)
    in_postgres(command, folder)


if __name__ == "__main__":
    main()
