"""Times ten trials of a random search against KerasTuner.

Usage: python time_search.py [--cargo "cargo xtask"] [--trials 10] [--epochs 10] [--rounds 3]

Needs keras, jax, keras-tuner (1.4.8) and six, which it imports without saying so. KerasTuner draws layers (0 to 3), units
(1 to 99) and learning rates (3e-4 to 3e-2, even in their logarithms) and trains each
network; Carnyx (`cargo xtask search`) then trains the networks that it drew, on data
of the same size, for as many epochs. Both begin with a fresh process, and the time is
that of the search alone: imports, data and compilation of Carnyx are left out, while
the compilation of each model, which both do when it is first trained, is in it. They
take turns; the last line is the median of the ratios. Run it on a quiet machine.
"""

import argparse
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
import tempfile

SAMPLES, FEATURES = 11610, 8


def by_keras_tuner(folder, trials, epochs, seed):
    """Runs in a process of its own: prints seconds and what was drawn."""
    os.environ["KERAS_BACKEND"] = "jax"
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import time

    import keras
    import keras_tuner
    import numpy as np

    x = np.random.default_rng(0).uniform(-1, 1, (SAMPLES, FEATURES)).astype("float32")
    y = x[:, :1].copy()

    def build(hp):
        model = keras.Sequential([keras.Input((FEATURES,))])
        units = hp.Int("units", 1, 99)
        for _ in range(hp.Int("hidden_layers", 0, 3)):
            model.add(keras.layers.Dense(units, activation="relu"))
        model.add(keras.layers.Dense(1))
        rate = hp.Float("learning_rate", 3e-4, 3e-2, sampling="log")
        model.compile(loss="mse", optimizer=keras.optimizers.SGD(rate))
        return model

    tuner = keras_tuner.RandomSearch(
        build, objective="val_loss", max_trials=trials, seed=seed, directory=folder, project_name="search", overwrite=True
    )
    began = time.perf_counter()
    tuner.search(x, y, epochs=epochs, validation_split=0.2, verbose=0)
    seconds = time.perf_counter() - began
    drawn = [tuner.oracle.trials[key].hyperparameters.values for key in sorted(tuner.oracle.trials)]
    print(json.dumps({"seconds": seconds, "trials": drawn}))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cargo", default="cargo xtask")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keras-tuner", metavar="FOLDER", help="used by itself")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.keras_tuner:
        return by_keras_tuner(arguments.keras_tuner, arguments.trials, arguments.epochs, arguments.seed)

    folder = pathlib.Path(tempfile.mkdtemp(prefix="carnyx-search-"))
    ratios = []
    for seed in range(arguments.rounds):
        options = ["--trials", str(arguments.trials), "--epochs", str(arguments.epochs), "--seed", str(seed)]
        command = [sys.executable, __file__, "--keras-tuner", str(folder / "keras"), *options]
        keras = json.loads(run(command))
        drawn = {"samples": SAMPLES, "features": FEATURES, "epochs": arguments.epochs, "trials": keras["trials"]}
        (folder / "trials.json").write_text(json.dumps(drawn))
        carnyx = json.loads(run([*shlex.split(arguments.cargo), "search", str(folder / "trials.json")]))
        ratios.append(keras["seconds"] / carnyx["median"])
        print(
            f"{arguments.trials} trials of {arguments.epochs} epochs: KerasTuner {keras['seconds']:.1f} s, "
            f"Carnyx {carnyx['median']:.2f} s, {ratios[-1]:.1f} times as fast",
            flush=True,
        )
    print(f"median of {len(ratios)}: {statistics.median(ratios):.1f} times as fast")


def run(command):
    """The last line that a program prints."""
    root = pathlib.Path(__file__).resolve().parents[2]
    output = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout
    return output.strip().splitlines()[-1]


if __name__ == "__main__":
    main()
