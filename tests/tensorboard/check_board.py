"""Checks that the real TensorBoard shows what Carnyx logs.

Usage: python check_board.py [--logger "cargo run ..."] [--folder DIR]

Starts TensorBoard on the loopback interface, lets the program `logger` of the
tests write its logs, and asks TensorBoard for them over HTTP, as its pages do:
runs, tags, values, distributions, pictures, texts, graphs, embeddings, trials, profiles.
Needs `tensorboard` and `xprof` beside this Python.
"""

import argparse
import contextlib
import gzip
import json
import math
import pathlib
import shlex
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

LOGGER = "cargo run --quiet --package carnyx-tests --bin logger --"
STEPS_OF_AN_EPOCH = 3


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Board:
    """A running TensorBoard, asked as its pages ask it."""

    def __init__(self, folder):
        self.address = f"http://127.0.0.1:{free_port()}"
        program = pathlib.Path(sys.executable).parent / "tensorboard"
        port = self.address.rsplit(":", 1)[1]
        options = ["--logdir", str(folder), "--host", "127.0.0.1", "--port", port, "--reload_interval", "1"]
        self.process = subprocess.Popen([program, *options], stderr=subprocess.DEVNULL)

    def close(self):
        self.process.terminate()
        self.process.wait()

    def bytes(self, path, body=None, **query):
        address = f"{self.address}/data/{path}"
        if query:
            address += "?" + urllib.parse.urlencode(query)
        request = urllib.request.Request(address, headers={"Accept-Encoding": "gzip"})
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request) as response:
            content = response.read()
            return gzip.decompress(content) if response.headers["Content-Encoding"] == "gzip" else content

    def text(self, path, **query):
        return self.bytes(path, **query).decode()

    def json(self, path, body=None, **query):
        return json.loads(self.bytes(path, body, **query))

    def plugin(self, name, path, **query):
        return self.json(f"plugin/{name}/{path}", **query)

    def curve(self, run, tag):
        """The steps and values of a number."""
        points = self.plugin("scalars", "scalars", run=run, tag=tag)
        return [step for _, step, _ in points], [float(value) for *_, value in points]

    def wait(self, what, ready, seconds=120):
        end = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError, LookupError):
                if ready():
                    return
            assert self.process.poll() is None, "TensorBoard has ended"
            assert time.monotonic() < end, f"TensorBoard does not show {what}"
            time.sleep(0.5)


def check_scalars(board, last_loss):
    tags = board.plugin("scalars", "tags")
    train = {f"{when}_{what}" for when in ("epoch", "batch") for what in ("loss", "accuracy", "steps_per_second")}
    assert set(tags["first/train"]) == train | {"epoch_learning_rate"}, tags["first/train"]
    validation = {name.format(what) for what in ("loss", "accuracy") for name in ("epoch_{}", "evaluation_{}_vs_iterations")}
    assert set(tags["first/validation"]) == validation, tags["first/validation"]
    steps, losses = board.curve("first/train", "epoch_loss")
    assert steps == [0, 1, 2, 3, 4] and math.isclose(losses[-1], last_loss, rel_tol=1e-6), losses
    assert board.curve("first/train", "epoch_learning_rate")[1] == [board.curve("first/train", "epoch_learning_rate")[1][0]] * 5
    assert board.curve("first/train", "batch_loss")[0] == list(range(2, 5 * STEPS_OF_AN_EPOCH + 1, 2))
    steps, _ = board.curve("first/validation", "evaluation_loss_vs_iterations")
    assert steps == [STEPS_OF_AN_EPOCH * epoch for epoch in range(1, 6)], steps
    assert all(speed > 0 for speed in board.curve("first/train", "batch_steps_per_second")[1])
    # Interrupted after a backup: steps that were done twice are shown once.
    assert board.curve("resumed/train", "batch_loss")[0] == list(range(1, 4 * STEPS_OF_AN_EPOCH + 1))
    assert board.curve("resumed/train", "epoch_loss")[0] == [0, 1, 2, 3]
    odd = 'odd: näme/ with "signs" & more?'
    assert board.curve("own", odd) == ([0, 1, 2], [0.0, 0.5, 1.0])
    undefined = board.curve("own", "undefined")[1]
    assert math.isnan(undefined[0]) and math.isinf(undefined[1]), undefined
    assert board.curve("own", "odd/not_finite") == ([0], [2.0])
    assert board.curve("own", "empty/not_finite") == ([0], [3.0])


def check_histograms(board):
    tags = board.plugin("histograms", "tags")
    weights = [f"{layer}/{weight}" for layer in ("hidden_ layer", "dense") for weight in ("kernel", "bias")]
    expected = {f"{weight}/{what}" for weight in weights for what in ("histogram", "gradient")}
    assert set(tags["first/train"]) == expected, tags["first/train"]
    kernels = board.plugin("histograms", "histograms", run="first/train", tag="dense/kernel/histogram")
    assert [step for _, step, _ in kernels] == [0, 1, 2, 3, 4]
    for _, _, buckets in kernels:
        assert len(buckets) == 30 and sum(count for *_, count in buckets) == 16 * 3
        assert all(left < right for left, right, _ in buckets)
    gradients = board.plugin("histograms", "histograms", run="first/train", tag="dense/bias/gradient")
    assert [step for _, step, _ in gradients] == [0, 2, 4]
    values = board.plugin("histograms", "histograms", run="own", tag="values")
    assert [sum(count for *_, count in buckets) for *_, buckets in values] == [100, 100, 100]
    odd = board.plugin("histograms", "histograms", run="own", tag="odd")[0][2]
    assert (odd[0][0], odd[-1][1], sum(count for *_, count in odd)) == (1, 2, 2), odd
    assert board.plugin("histograms", "histograms", run="own", tag="empty")[0][2][0] == [0, 0, 0]


def check_images(board):
    tags = board.plugin("images", "tags")
    assert tags["own"]["colours"]["samples"] == 2 and tags["own"]["slope"]["samples"] == 1, tags["own"]
    assert "dense/kernel/image" in tags["first/train"], tags["first/train"]
    for tag, sample, size in (("slope", 0, (6, 4)), ("colours", 1, (5, 3))):
        image = board.plugin("images", "images", run="own", tag=tag, sample=sample)[0]
        picture = board.bytes("plugin/images/individualImage?" + image["query"])
        assert picture.startswith(b"\x89PNG"), picture[:8]
        assert tuple(int.from_bytes(picture[at : at + 4], "big") for at in (16, 20)) == size
    text = board.plugin("text", "text", run="own", tag="notes")[0]["text"]
    assert "<strong>works</strong>" in text and "<b>" not in text, text


def check_graphs(board):
    info = board.plugin("graphs", "info")
    assert info["first/train"]["run_graph"] and info["first/train"]["tags"]["keras"]["conceptual_graph"], info
    layers = board.text("plugin/graphs/graph", run="first/train", tag="keras", conceptual="true")
    for layer, before in (("hidden: layer", "input"), ("dropout", "hidden: layer"), ("dense", "dropout")):
        assert f'name: "sequential/{layer}"\n  input: "sequential/{before}"' in layers, layers
    operations = board.text("plugin/graphs/graph", run="first/train", conceptual="false")
    for node in ("input_0", "target_0", "sequential/dense/kernel", "sequential/hidden__layer/dot", "sequential/dense/kernel/assign"):
        assert f'name: "{node}"' in operations, f"{node} is missing"


def check_embeddings(board):
    assert set(board.plugin("projector", "runs")) == {"own", "words/train"}
    points, more = board.plugin("projector", "info", run="own")["embeddings"]
    assert (points["tensorName"], points["tensorShape"], more["tensorName"]) == ("points", [5, 3], "more")
    assert board.text("plugin/projector/metadata", run="own", name="points").split() == list("abcde")
    numbers = board.bytes("plugin/projector/tensor", run="own", name="points")
    assert len(numbers) == 4 * 5 * 3, len(numbers)
    labels = board.text("plugin/projector/metadata", run="words/train", name="words").splitlines()
    assert labels[:2] == ["word 0", "word 1"] and len(labels) == 11, labels


def check_trials(board):
    experiment = board.json("plugin/hparams/experiment", body={})
    kinds = {info["name"]: info["type"].removeprefix("DATA_TYPE_") for info in experiment["hparamInfos"]}
    assert kinds == {"units": "FLOAT64", "optimizer": "STRING", "batch_normalization": "BOOL", "rate": "STRING"}, kinds
    assert [info["name"]["tag"] for info in experiment["metricInfos"]] == ["val_accuracy"]
    states = [f"STATUS_{state}" for state in ("UNKNOWN", "SUCCESS", "FAILURE", "RUNNING")]
    body = {"startIndex": 0, "sliceSize": 10, "allowedStatuses": states, "colParams": []}
    groups = board.json("plugin/hparams/session_groups", body=body)["sessionGroups"]
    trials = {group["sessions"][0]["name"]: group for group in groups}
    assert set(trials) == {f"search/{trial}" for trial in range(4)}, set(trials)
    for name, units, accuracy, state in (("0", 16, 0.5, "SUCCESS"), ("1", 32, 0.625, "SUCCESS"), ("2", 0, 0.75, "FAILURE")):
        trial = trials[f"search/{name}"]
        assert trial["hparams"]["units"] == units and trial["sessions"][0]["status"] == f"STATUS_{state}", trial
        assert trial["metricValues"][0]["value"] == accuracy, trial
    assert trials["search/2"]["hparams"]["rate"] == "inf"
    assert trials["search/3"]["hparams"] == {"units": 64, "optimizer": "adam"}, trials["search/3"]
    assert trials["search/3"]["sessions"][0]["status"] == "STATUS_SUCCESS"
    accuracy = board.curve("search/3/validation", "epoch_accuracy")[1][-1]
    assert trials["search/3"]["metricValues"][0]["value"] == accuracy, trials["search/3"]


class Profile:
    """A run in the Profile tab."""

    def __init__(self, board, folder):
        self.board = board
        self.run = next(run for run in board.plugin("profile", "runs") if run.startswith(folder + "/"))
        self.host = board.plugin("profile", "hosts", run=self.run, tag="trace_viewer@")[0]["hostname"]

    def data(self, tool, **query):
        return self.board.plugin("profile", "data", run=self.run, tag=tool, host=self.host, **query)

    def details(self, box):
        """What is said of a box that is clicked at."""
        times = {"start_time_ms": box["ts"] / 1000, "duration_ms": box["dur"] / 1000}
        query = {"event_name": box["name"], "unique_id": box["args"]["uid"], **times}
        events = self.data("trace_viewer@", **query)["traceEvents"]
        return next(event["args"] for event in events if event["name"] == box["name"])

    def boxes(self):
        """What the trace viewer draws, by the names of the lines."""
        events = self.data("trace_viewer@")["traceEvents"]
        lines = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
        boxes = {name: [] for name in lines.values()}
        for event in events:
            if event["ph"] == "X":
                boxes[lines[event["tid"]]].append(event)
        return boxes

    def operations(self):
        """The operations with their types and counts."""
        content = self.data("framework_op_stats")[0]
        columns = [column["id"] for column in content["cols"]]
        rows = [dict(zip(columns, (cell["v"] for cell in row["c"]))) for row in content["rows"]]
        return {row["operation"]: (row["type"], row["occurrences"]) for row in rows if row["type"] != "IDLE"}

    def steps(self):
        """Names of the steps, and what is said of all of them."""
        content = self.data("input_pipeline_analyzer")[1]
        return [row["c"][0]["v"] for row in content["rows"]], content["p"]


def check_profile(board):
    # A profile of which every number is known.
    profile = Profile(board, "profiled")
    tools = board.plugin("profile", "run_tools", run=profile.run)
    wanted = {"trace_viewer@", "overview_page", "framework_op_stats", "input_pipeline_analyzer", "memory_profile"}
    assert wanted <= set(tools), tools
    boxes = profile.boxes()
    assert set(boxes) == {"training loop", "input", "thread 0", "thread 1"}, set(boxes)
    names = {line: {event["name"] for event in events} for line, events in boxes.items()}
    steps = [f"train {number}" for number in range(100, 105)]
    assert names["training loop"] == {*steps, "CSVLogger::on_batch_end"}, names
    assert {"dense: dot", "dense: dot + add", "training 102"} <= names["thread 1"], names
    dot = next(event for event in boxes["thread 0"] if event["name"] == "dense: dot")
    assert (dot["ts"], dot["dur"]) == (650, 200), dot
    details = profile.details(dot)
    assert (details["phase"], details["layer"], int(details["flop"])) == ("backward", "sequential/dense", 4096), details
    operations = profile.operations()
    expected = {f"sequential/dense/{what}": ("Dot", 10) for what in ("forward/dot_add", "backward/dot")}
    assert operations == expected, operations
    shown, means = profile.steps()
    assert shown == steps, shown
    assert means["steptime_ms_average"] == "1.0" and means["infeed_time_ms_avg"] == "0.4", means
    memory = profile.data("memory_profile")["memoryProfilePerAllocator"]["programs"]
    assert memory["profileSummary"]["peakBytesUsageLifetime"] == str(4096 + 1024), memory["profileSummary"]

    # One of a fit.
    profile = Profile(board, "first/train")
    boxes = profile.boxes()
    assert {"training loop", "input", "thread 0"} <= set(boxes), set(boxes)
    steps = [f"train {number}" for number in range(6, 12)]
    names = {event["name"] for events in boxes.values() for event in events}
    assert set(steps) <= names and any(name.startswith("dense: ") for name in names), names
    assert "TensorBoard::on_batch_end" in names, names
    operations = profile.operations()
    for start in ("sequential/hidden_layer/forward/", "sequential/dense/backward/"):
        assert any(name.startswith(start) for name in operations), f"{start} is missing in {list(operations)}"
    # Of many steps xprof leaves the first and the last one out.
    shown, _ = profile.steps()
    assert set(steps[1:-1]) <= set(shown) <= set(steps), shown
    assert int(profile.data("memory_profile")["memoryProfilePerAllocator"]["programs"]["profileSummary"]["peakBytesUsageLifetime"]) > 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--logger", default=LOGGER, help="what runs the program that logs")
    parser.add_argument("--folder", help="where the logs are put; a temporary folder if not given")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, contextlib.ExitStack() as stack:
        folder = pathlib.Path(arguments.folder or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        board = Board(folder)
        stack.callback(board.close)
        board.wait("anything", lambda: board.json("environment"))
        output = subprocess.run([*shlex.split(arguments.logger), folder], check=True, stdout=subprocess.PIPE, text=True).stdout
        last_loss = float(output.split("last loss ")[1].split()[0])
        # What is written last is shown last.
        board.wait("the logs", lambda: board.curve("search/3/train", "epoch_loss")[0] == [0, 1])
        board.wait("the embeddings", lambda: len(board.plugin("projector", "runs")) == 2)
        board.wait("the profile", lambda: len(board.plugin("profile", "runs")) == 2)
        check_scalars(board, last_loss)
        print("check_scalars: as it should be")
        for check in (check_histograms, check_images, check_graphs, check_embeddings, check_trials, check_profile):
            check(board)
            print(f"{check.__name__}: as it should be")


if __name__ == "__main__":
    main()
