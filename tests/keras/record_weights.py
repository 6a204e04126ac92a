"""Records what Keras does with weights of samples and classes: `recorded/weights.json`.

Usage (see README.md next to this file): python record_weights.py [--out DIR]
"""

import argparse
import pathlib

import record
from record import F, as_list, integers, keras, named_weights, normal, np, number, one_hot, set_random_weights, tensor, uniform

LAYERS = keras.layers


def compiled(layers, inputs, loss, metrics, weighted_metrics, rate=0.2):
    """A model of dense layers, and what the test needs to make the same."""
    keras.utils.clear_session()
    model = keras.Sequential([keras.Input(inputs)] + [LAYERS.Dense(units, activation=a) for units, a in layers])
    set_random_weights(model, 700)
    model.compile(
        optimizer=keras.optimizers.SGD(rate), loss=loss, metrics=list(metrics), weighted_metrics=list(weighted_metrics)
    )
    return model, {
        "layers": [f"Dense({units}, {a})" for units, a in layers],
        "optimizer": "SGD",
        "learning_rate": rate,
        "loss": loss,
        "metrics": metrics,
        "weighted_metrics": weighted_metrics,
    }


def two_outputs(by_name=False):
    """With `by_name`, the model gives a dict, which is what Keras needs to take weights by name."""
    keras.utils.clear_session()
    x = keras.Input((4,), name="x")
    hidden = LAYERS.Dense(5, activation="tanh", name="hidden")(x)
    price = LAYERS.Dense(1, name="price")(hidden)
    kind = LAYERS.Dense(3, activation="softmax", name="kind")(hidden)
    each = lambda price, kind: {"price": price, "kind": kind} if by_name else [price, kind]
    model = keras.Model(x, each(price, kind))
    set_random_weights(model, 720)
    model.compile(
        optimizer=keras.optimizers.SGD(0.1),
        loss=each("mse", "sparse_categorical_crossentropy"),
        loss_weights=each(0.7, 0.3),
        metrics=each(["mae"], ["accuracy"]),
        weighted_metrics=each(["mae"], ["accuracy"]),
    )
    return model, {
        "outputs": ["price", "kind"],
        "by_name": by_name,
        "optimizer": "SGD",
        "learning_rate": 0.1,
        "loss_weights": [0.7, 0.3],
    }


def numbered(name, value):
    """`name`, or `name_0`, `name_1`, .. for a list or for names, in the order of the outputs."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return {f"{name}_{i}": tensor(v) for i, v in enumerate(value)}
    return {} if value is None else {name: tensor(value)}


def case(name, model, config, training, validation=None, class_weight=None, passed=None, **fit):
    """`training` and `validation` are x, y and perhaps weights. `passed` is what stands for weights and class weights
    that Keras does not take together."""
    x, y, *weights = training
    weights = weights[0] if weights else None
    inputs = {**numbered("x", x), **numbered("y", y), **numbered("w", weights)}
    if validation:
        for key, value in zip(["x_val", "y_val", "w_val"], validation):
            inputs.update(numbered(key, value))
    initial = named_weights(model)
    arguments = {"sample_weight": weights, "class_weight": class_weight} if passed is None else {"sample_weight": passed}
    history = model.fit(
        x, y, shuffle=False, verbose=0, batch_size=8, epochs=3, validation_data=validation, **arguments, **fit
    )
    evaluated = {}
    for what, w in [("unweighted", None), ("weighted", weights)]:
        logs = model.evaluate(x, y, sample_weight=w, batch_size=8, verbose=0, return_dict=True)
        evaluated[what] = {k: number(v) for k, v in logs.items()}
    return {
        "name": name,
        "config": config,
        "fit": {"class_weight": {str(k): v for k, v in (class_weight or {}).items()}, **fit},
        "inputs": inputs,
        "initial_weights": initial,
        "outputs": {
            "history": record.history_record(history),
            "final_weights": named_weights(model),
            "evaluate": evaluated,
        },
    }


def cases():
    n = 20
    x, xv = normal(740, (n, 4)), normal(741, (6, 4))
    labels, labels_v = integers(742, (n,), 3), integers(743, (6,), 3)
    w, wv = np.round(uniform(744, (n,), 0, 2), 2), np.round(uniform(745, (6,), 0, 2), 2)
    w[3] = 0
    unequal = {0: 0.5, 2: 4.0}  # class 1 is left out: it counts 1

    def classifier(loss="sparse_categorical_crossentropy"):
        return compiled([(5, "tanh"), (3, "softmax")], (4,), loss, ["accuracy"], ["accuracy", "mse"][: 1 if "sparse" in loss else 2])

    yield case("class_weight_of_numbers", *classifier(), (x, labels), class_weight=unequal)
    column = labels.reshape(n, 1)
    yield case("class_weight_of_a_column", *classifier(), (x, column), class_weight=unequal)
    rows = one_hot(labels, 3)
    yield case("class_weight_of_one_hot_rows", *classifier("categorical_crossentropy"), (x, rows), class_weight=unequal)
    truth = (labels > 0).astype(F)
    binary = [(5, "tanh"), (1, "sigmoid")]
    model = compiled(binary, (4,), "binary_crossentropy", ["accuracy"], ["accuracy", "mae"])
    yield case("class_weight_of_truth_values", *model, (x, truth), class_weight={0: 3.0, 1: 0.25})
    yield case(
        "class_weight_and_validation", *classifier(), (x, labels), (xv, labels_v, wv), class_weight=unequal
    )
    yield case("sample_weight", *classifier(), (x, labels, w), (xv, labels_v, wv))
    yield case("sample_weight_of_a_column", *classifier(), (x, labels, w.reshape(n, 1)), (xv, labels_v))
    yield case("sample_weight_split", *classifier(), (x, labels, w), validation_split=0.3)
    product = w * np.array([unequal.get(int(label), 1.0) for label in labels], F)
    yield case("class_and_sample_weight", *classifier(), (x, labels, w), class_weight=unequal, passed=product)

    y = np.round(x @ normal(746, (4, 1)), 2).astype(F)
    model = compiled([(5, "tanh"), (1, "linear")], (4,), "mse", ["mae", "mse"], ["mae", "RootMeanSquaredError"], 0.05)
    yield case("regression", *model, (x, y, w), (xv, np.round(xv @ normal(746, (4, 1)), 2).astype(F), wv))

    steps, answers = normal(747, (10, 3, 2)), integers(748, (10, 3), 3)
    of_steps = np.round(uniform(749, (10, 3), 0, 2), 2)
    of_steps[2, 1] = 0
    model = compiled([(4, "tanh"), (3, "softmax")], (3, 2), "sparse_categorical_crossentropy", ["accuracy"], ["accuracy"])
    yield case("weights_of_time_steps", *model, (steps, answers, of_steps))
    model = compiled([(4, "tanh"), (2, "linear")], (3, 2), "mse", ["mae"], ["mae"])
    yield case("weights_of_time_steps_in_regression", *model, (steps, normal(750, (10, 3, 2)), of_steps))

    other = np.round(uniform(751, (n,), 0, 2), 2)
    yield case("two_outputs_by_list", *two_outputs(), (x, [y, labels], [w, other]))
    yv, other_v = np.round(xv @ normal(746, (4, 1)), 2).astype(F), np.round(uniform(752, (6,), 0, 2), 2)
    yield case("two_outputs_and_validation", *two_outputs(), (x, [y, labels], [w, other]), (xv, [yv, labels_v], [wv, other_v]))
    names = lambda price, kind: {"price": price, "kind": kind}
    yield case("two_outputs_by_name", *two_outputs(True), (x, names(y, labels), names(w, other)))
    yield case("two_outputs_with_one_array", *two_outputs(), (x, [y, labels], w))


def error_of(action):
    try:
        action()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def refusals():
    """What Keras does not take."""
    x, y, w = normal(740, (8, 4)), integers(742, (8,), 3), uniform(744, (8,), 0, 2)
    model = lambda: compiled([(3, "softmax")], (4,), "sparse_categorical_crossentropy", [], [])[0]
    steps = compiled([(3, "softmax")], (5, 2), "sparse_categorical_crossentropy", [], [])[0]
    yield "class_and_sample_weight", error_of(lambda: model().fit(x, y, sample_weight=w, class_weight={0: 2.0}, verbose=0))
    one = {0: 2.0}
    yield "class_weight_of_two_outputs", error_of(lambda: two_outputs()[0].fit(x, [y, y], class_weight=one, verbose=0))
    yield "sample_weight_of_steps_by_sample", error_of(
        lambda: steps.fit(normal(1, (8, 5, 2)), integers(2, (8, 5), 3), sample_weight=w, verbose=0)
    )
    yield "class_weight_of_a_class_that_is_not_there", error_of(lambda: model().fit(x, y, class_weight={7: 2.0}, verbose=0))
    yield "sample_weight_by_name_of_a_list_of_outputs", error_of(
        lambda: two_outputs()[0].fit(x, {"price": y, "kind": y}, sample_weight={"price": w, "kind": w}, verbose=0)
    )
    yield "negative_sample_weight", error_of(lambda: model().fit(x, y, sample_weight=-w, verbose=0))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "recorded")
    out = parser.parse_args().out
    refused = {name: error and error.splitlines()[0][:160] for name, error in refusals()}
    record.write(out, "weights", list(cases()), refusals=refused)


if __name__ == "__main__":
    main()
