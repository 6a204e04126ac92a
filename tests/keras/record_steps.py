"""Records epochs of arrays that are shorter than the data: `recorded/steps.json`, in the form of `training.json`.

Usage (see README.md next to this file): python record_steps.py [--out DIR]

An epoch goes on where the one before ended. The steps of an epoch divide those of a pass, because otherwise Keras ends
an epoch early where the data end, with a warning.
"""

import argparse
import pathlib

import record
from record import classification_data, mlp_classifier


def cases():
    x, y = classification_data(800, 24)
    val = classification_data(801, 14)
    for name, fit in [
        ("a_third_of_a_pass", {"epochs": 4, "steps_per_epoch": 2}),
        ("half_a_pass_and_validation", {"epochs": 3, "steps_per_epoch": 3}),
        ("one_step", {"epochs": 7, "steps_per_epoch": 1}),
        ("validation_steps", {"epochs": 2, "validation_steps": 2}),
    ]:
        more = val if "valid" in name else None
        yield record.train_case(name, *mlp_classifier("sgd"), x, y, more, batch_size=4, **fit)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "recorded")
    record.write(parser.parse_args().out, "steps", list(cases()))


if __name__ == "__main__":
    main()
