"""Records reference numbers from scikit-learn for Carnyx's tests.

Usage, from any folder:

    python3 -m venv sklearn-venv
    sklearn-venv/bin/pip install "scikit-learn==1.9.1"
    sklearn-venv/bin/python record.py

Writes recorded/perceptron.json next to this file. Every case holds its options
and its outputs; data sets are shared by several cases and stand apart, complete
and exact: floats are the shortest decimals that read back as the same float64.
Data come from a fixed NumPy seed or from scikit-learn itself, and no fit
shuffles, so a second run on the same versions writes the same file.
"""

import json
import pathlib
import warnings

import numpy as np
import sklearn
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Perceptron


def data_sets():
    """Name -> features and labels; samples of the classes are mixed."""
    rng = np.random.default_rng(1958)

    def clouds(centres, samples, spread):
        labels = rng.permutation(np.arange(samples) % len(centres))
        x = np.array(centres)[labels] + spread * rng.normal(size=(samples, len(centres[0])))
        return np.round(x, 4), labels

    sets = {}
    sets["separable"] = clouds([(-2.0, 0.0), (2.0, 1.0)], 60, 0.5)
    sets["overlapping"] = clouds([(-0.5, 0.0), (0.5, 0.5)], 80, 1.0)
    sets["narrow"] = clouds([(10.0, 10.0), (10.8, 9.6)], 60, 0.15)
    sets["xor"] = (np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0]))
    sets["and"] = (np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 0, 0, 1]))

    x, classes = clouds([(0.0, 0.0, 0.0), (3.0, 0.0, 1.0), (0.0, 3.0, -1.0)], 75, 0.6)
    sets["three_classes"] = (x, np.array([-3, 5, 40])[classes])
    x, classes = clouds([(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)], 60, 0.7)
    sets["four_classes"] = (x, classes)

    iris = load_iris()
    order = rng.permutation(len(iris.target))
    sets["iris"] = (iris.data[order], iris.target[order])
    sets["iris_as_sorted"] = (iris.data, iris.target)
    return sets


# Options are those of `sklearn.linear_model.Perceptron`; what is missing has its default.
CASES = [
    ("separable", {}),
    ("separable", {"tol": None, "max_iter": 7}),
    ("separable", {"eta0": 0.1}),
    ("separable", {"fit_intercept": False}),
    ("overlapping", {}),
    ("overlapping", {"tol": None, "max_iter": 50}),
    ("overlapping", {"tol": 0.1}),
    ("overlapping", {"tol": 0.0, "n_iter_no_change": 20}),
    ("overlapping", {"max_iter": 1}),
    ("overlapping", {"max_iter": 3, "eta0": 0.1, "fit_intercept": False}),
    ("narrow", {}),
    ("narrow", {"tol": None, "max_iter": 1000}),
    ("narrow", {"eta0": 0.1, "n_iter_no_change": 1}),
    ("xor", {}),
    ("xor", {"tol": None, "max_iter": 100}),
    ("and", {}),
    ("and", {"eta0": 0.1}),
    ("three_classes", {}),
    ("three_classes", {"eta0": 0.1, "max_iter": 2}),
    ("four_classes", {}),
    ("four_classes", {"tol": 1e-5, "n_iter_no_change": 10, "fit_intercept": False}),
    ("iris", {}),
    ("iris", {"eta0": 0.1}),
    ("iris", {"tol": None, "max_iter": 200}),
    ("iris", {"fit_intercept": False, "tol": 0.01}),
    ("iris_as_sorted", {}),
]


def record(name, x, y, options):
    model = Perceptron(shuffle=False, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x, y)
    return {
        "name": ", ".join([name] + [f"{key} {value}" for key, value in options.items()]),
        "data": name,
        "options": options,
        "classes": model.classes_.tolist(),
        "coef": model.coef_.tolist(),
        "intercept": model.intercept_.tolist(),
        "n_iter": int(model.n_iter_),
        "score": float(model.score(x, y)),
        # The first samples tell the shape and the sign; all of them would tell no more.
        "decision": model.decision_function(x[:5]).tolist(),
        "predictions": model.predict(x).tolist(),
    }


def main():
    sets = data_sets()
    recorded = {
        "sklearn": sklearn.__version__,
        "data": {name: {"x": x.tolist(), "y": y.tolist()} for name, (x, y) in sets.items()},
        "cases": [record(name, *sets[name], options) for name, options in CASES],
    }
    path = pathlib.Path(__file__).parent / "recorded" / "perceptron.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(recorded, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n")
    for case in recorded["cases"]:
        print(f"{case['name']}: {case['n_iter']} passes, score {case['score']:.3f}")
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
