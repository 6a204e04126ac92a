"""Records curves and confusion matrices from scikit-learn for Carnyx's tests.

Usage, from any folder, in the environment that `record.py` describes:

    sklearn-venv/bin/python record_curves.py

Writes recorded/curves.json next to this file: for each case the labels and
scores, the points of the ROC curve (all of them: `drop_intermediate=False`) and
of the precision-recall curve, and both areas; then confusion matrices. Scores
are float32 exactly, so that equal ones are equal for every reader. Data come
from a fixed NumPy seed, so a second run on the same versions writes the same
file.
"""

import json
import pathlib

import numpy as np
import sklearn
from sklearn.metrics import (
    average_precision_score,
    confusion_matrix,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

RNG = np.random.default_rng(1954)


def samples(number, share, knowledge, decimals):
    """Labels, and scores that know something of them; few decimals make ties."""
    labels = (RNG.random(number) < share).astype(int)
    labels[:2] = [0, 1]
    scores = np.round(RNG.normal(size=number) + knowledge * labels, decimals)
    return labels, scores.astype(np.float32)


def curves():
    cases = {
        "plain": samples(40, 0.5, 1.0, 3),
        "ties": samples(60, 0.4, 0.7, 0),
        "rare": samples(60, 0.05, 2.0, 1),
        "frequent": samples(30, 0.9, 0.5, 1),
        "knows_nothing": samples(50, 0.5, 0.0, 2),
        "perfect": (np.array([0, 0, 1, 1]), np.array([-2, -1, 1, 2], dtype=np.float32)),
        "reversed": (np.array([1, 1, 0, 0]), np.array([-2, -1, 1, 2], dtype=np.float32)),
        "all_equal": (np.array([0, 1, 0, 1, 1]), np.full(5, 0.5, dtype=np.float32)),
    }
    for name, (labels, scores) in cases.items():
        false_positive, true_positive, thresholds = roc_curve(labels, scores, drop_intermediate=False)
        precision, recall, _ = precision_recall_curve(labels, scores)
        yield {
            "name": name,
            "labels": labels.tolist(),
            "scores": scores.tolist(),
            # The first threshold is infinite, which JSON does not know.
            "thresholds": thresholds[1:].tolist(),
            "false_positive_rates": false_positive.tolist(),
            "true_positive_rates": true_positive.tolist(),
            "roc_area": float(roc_auc_score(labels, scores)),
            "precisions": precision.tolist(),
            "recalls": recall.tolist(),
            "average_precision": float(average_precision_score(labels, scores)),
        }


def matrices():
    for classes, number in [(2, 30), (4, 50), (7, 40)]:
        labels = RNG.integers(0, classes, number)
        labels[0] = classes - 1
        predictions = np.where(RNG.random(number) < 0.6, labels, RNG.integers(0, classes, number))
        counts = confusion_matrix(labels, predictions, labels=range(classes))
        yield {
            "labels": labels.tolist(),
            "predictions": predictions.tolist(),
            "counts": counts.ravel().tolist(),
        }


def main():
    recorded = {"sklearn": sklearn.__version__, "curves": list(curves()), "matrices": list(matrices())}
    path = pathlib.Path(__file__).parent / "recorded" / "curves.json"
    lines = json.dumps(recorded, indent=None, separators=(", ", ": "))
    # A case is a line, so that a difference shows which one it is in.
    for start in ['{"name"', '{"labels"', '"matrices"']:
        lines = lines.replace(start, "\n" + start)
    path.write_text(lines + "\n")


if __name__ == "__main__":
    main()
