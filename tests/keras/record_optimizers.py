"""Records what optimizers, regularizers and constraints of Keras do, beyond `record.py`.

Usage: python record_optimizers.py [--out DIR] [NAME ...]

NAME is one of the recorders below (optimizer_options, regularizers, constraints,
regularized_training); without a name all of them run.
"""

from record import F, keras, jnp, normal, np, number, plain, run, tensor, tensors, write

layers = keras.layers


# --------------------------------------------------------------------------
# Ten steps on given gradients


def steps_of(name, cls, arguments, kernel=(2, 3), exclude=None, paths=("kernel", "bias"), lr_change=None):
    keras.utils.clear_session()
    opt = getattr(keras.optimizers, cls)(**arguments)
    if exclude:
        opt.exclude_from_weight_decay(var_names=exclude)
    config = plain(opt.get_config())
    start = {"kernel": normal(200, kernel), "bias": normal(201, kernel[1:])}
    variables = []
    for key, path in zip(start, paths):
        *scopes, last = path.split("/")
        with keras.name_scope(scopes[0]) if scopes else keras.name_scope(""):
            variables.append(keras.Variable(start[key], name=last))
    opt.build(variables)
    steps = []
    for step in range(10):
        if lr_change and step == lr_change[0]:
            opt.learning_rate = lr_change[1]
        lr = float(np.asarray(opt.learning_rate))
        gradients = {"kernel": normal(210 + step, kernel), "bias": normal(230 + step, kernel[1:])}
        opt.apply([jnp.asarray(g) for g in gradients.values()], variables)
        steps.append(
            {
                "learning_rate": number(lr),
                "gradients": tensors(gradients),
                "weights": {key: tensor(v.value) for key, v in zip(start, variables)},
            }
        )
    return {
        "name": name,
        "optimizer": cls,
        "arguments": arguments,
        "exclude": exclude or [],
        "paths": dict(zip(start, paths)),
        "config": config,
        "initial_weights": tensors(start),
        "steps": steps,
        "variables": [{"path": v.path, "value": tensor(v.value)} for v in opt.variables],
    }


def optimizer_options(out):
    c = steps_of
    sgd = {"learning_rate": 0.1, "momentum": 0.9}
    adam = {"learning_rate": 0.1}
    cases = [
        c("muon", "Muon", {}),
        c("muon_high_matrix", "Muon", {"learning_rate": 0.1}, kernel=(4, 2)),
        c("muon_without_nesterov", "Muon", {"learning_rate": 0.1, "nesterov": False, "rms_rate": None, "ns_steps": 3}),
        c("muon_excluded", "Muon", {"learning_rate": 0.1, "exclude_layers": ["scores"], "adam_lr_ratio": 0.5}, paths=("scores/kernel", "scores/bias")),
        c("muon_embedding", "Muon", {"learning_rate": 0.1, "adam_weight_decay": 0.1}, paths=("embedding/kernel", "embedding/bias")),
        c("adam_excluded_from_decay", "Adam", {**adam, "weight_decay": 0.1}, exclude=["bias"]),
        c("sgd_ema", "SGD", {**sgd, "use_ema": True, "ema_momentum": 0.7}),
        c("adam_ema_overwrite", "Adam", {**adam, "use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 3}),
        c("sgd_accumulation", "SGD", {**sgd, "gradient_accumulation_steps": 3}),
        c("adam_accumulation", "Adam", {**adam, "gradient_accumulation_steps": 2, "weight_decay": 0.1, "clipnorm": 0.5}),
        c("nadam_accumulation", "Nadam", {**adam, "gradient_accumulation_steps": 3}),
        c("adafactor_accumulation", "Adafactor", {**adam, "gradient_accumulation_steps": 3}),
        c("sgd_accumulation_ema_overwrite", "SGD", {**sgd, "gradient_accumulation_steps": 2, "use_ema": True, "ema_momentum": 0.6, "ema_overwrite_frequency": 2}),
        c("nadam_lr_change", "Nadam", adam, lr_change=(5, 0.02)),
        c("adamax_lr_0.1", "Adamax", adam),
        c("adagrad_options", "Adagrad", {"learning_rate": 0.1, "initial_accumulator_value": 0.5, "epsilon": 0.01}),
        c("adadelta_lr_1", "Adadelta", {"learning_rate": 1.0, "rho": 0.9, "epsilon": 1e-5}),
        c("lion_options", "Lion", {"learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.95, "weight_decay": 0.2}),
        c("lamb_options", "Lamb", {"learning_rate": 0.1, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 0.001}),
        c("adafactor_options", "Adafactor", {"learning_rate": 0.5, "beta_2_decay": -0.5, "epsilon_2": 0.01, "clip_threshold": 0.5, "relative_step": False}),
        c("rmsprop_all", "RMSprop", {"learning_rate": 0.05, "rho": 0.8, "momentum": 0.5, "epsilon": 0.001, "centered": True}),
        c("ftrl_options", "Ftrl", {"learning_rate": 0.1, "learning_rate_power": -0.7, "initial_accumulator_value": 0.3, "l2_shrinkage_regularization_strength": 0.1, "beta": 0.2}),
    ]
    write(out, "optimizer_options", cases)


# --------------------------------------------------------------------------
# Penalties and bounds


def regularizers(out):
    import jax

    r = keras.regularizers
    made = {
        "l1": r.L1(0.1),
        "l2": r.L2(0.1),
        "l1_l2": r.L1L2(0.1, 0.2),
        "orthogonal_rows": r.OrthogonalRegularizer(0.3, "rows"),
        "orthogonal_columns": r.OrthogonalRegularizer(0.3, "columns"),
    }
    cases = []
    for name, regularizer in made.items():
        for shape in [(4, 3), (2, 5)]:
            x = normal(300 + shape[0], shape)
            value, gradient = jax.value_and_grad(regularizer)(jnp.asarray(x))
            cases.append(
                {
                    "name": f"{name}_{shape[0]}x{shape[1]}",
                    "regularizer": type(regularizer).__name__,
                    "config": plain(regularizer.get_config()),
                    "inputs": tensors({"x": x}),
                    "outputs": tensors({"penalty": value}),
                    "gradients": tensors({"x": gradient}),
                }
            )
    write(out, "regularizers", cases)


def constraints(out):
    c = keras.constraints
    made = {
        "max_norm": c.MaxNorm(1.5),
        "max_norm_rows": c.MaxNorm(1.0, axis=1),
        "max_norm_axes": c.MaxNorm(2.0, axis=[0, 1]),
        "non_neg": c.NonNeg(),
        "unit_norm": c.UnitNorm(),
        "unit_norm_rows": c.UnitNorm(axis=1),
        "min_max_norm": c.MinMaxNorm(0.5, 1.0),
        "min_max_norm_rate": c.MinMaxNorm(1.2, 2.0, rate=0.3, axis=1),
    }
    cases = []
    for name, constraint in made.items():
        x = normal(310, (4, 3))
        x[:, 1] *= F(0.1)
        x[2] = 0
        cases.append(
            {
                "name": name,
                "constraint": type(constraint).__name__,
                "config": plain(constraint.get_config()),
                "inputs": tensors({"x": x}),
                "outputs": tensors({"y": constraint(jnp.asarray(x))}),
            }
        )
    write(out, "constraints", cases)


# --------------------------------------------------------------------------
# Whole trainings


def network(kind):
    r, c = keras.regularizers, keras.constraints
    if kind == "penalties":
        return keras.Sequential(
            [
                keras.Input((4,)),
                layers.Dense(5, activation="tanh", kernel_regularizer=r.L2(0.05), bias_regularizer=r.L1(0.02), activity_regularizer=r.L2(0.03), name="first"),
                layers.Dense(1, kernel_regularizer=r.OrthogonalRegularizer(0.1), activity_regularizer=r.L1(0.01), name="second"),
            ]
        )
    if kind == "bounds":
        return keras.Sequential(
            [
                keras.Input((4,)),
                layers.Dense(5, activation="tanh", kernel_constraint=c.MaxNorm(0.8), bias_constraint=c.NonNeg(), name="first"),
                layers.Dense(1, kernel_constraint=c.MinMaxNorm(0.5, 0.9, rate=0.5), bias_constraint=c.UnitNorm(), name="second"),
            ]
        )
    # A layer that is used twice: the penalty for its weights counts once. With a penalty for its outputs, the
    # compiled step of the JAX backend would count that of the last use only, while `model.losses` has both.
    x = keras.Input((4,))
    shared = layers.Dense(4, activation="tanh", kernel_regularizer=r.L1L2(0.01, 0.02), name="first")
    return keras.Model(x, layers.Dense(1, name="second")(shared(shared(x))))


def training(name, kind, cls, arguments, frozen=False):
    keras.utils.clear_session()
    model = network(kind)
    for i, weight in enumerate(model.weights):
        weight.assign(normal(400 + i, weight.shape, 0.7))
    if frozen:
        model.get_layer("first").trainable = False
    initial = [{"path": f"{w.path.split('/')[-2]}/{w.name}", "value": tensor(w.value)} for w in model.weights]
    model.compile(optimizer=getattr(keras.optimizers, cls)(**arguments), loss="mse", metrics=["mae"])
    x, y = normal(410, (13, 4)), normal(411, (13, 1))
    x_val, y_val = normal(412, (7, 4)), normal(413, (7, 1))
    history = model.fit(x, y, batch_size=5, epochs=3, shuffle=False, verbose=0, validation_data=(x_val, y_val), validation_batch_size=7)
    evaluated = model.evaluate(x_val, y_val, batch_size=7, verbose=0, return_dict=True)
    return {
        "name": name,
        "network": kind,
        "frozen": frozen,
        "optimizer": cls,
        "arguments": arguments,
        "inputs": tensors({"x": x, "y": y, "x_val": x_val, "y_val": y_val}),
        "initial_weights": initial,
        "outputs": {
            "history": {k: [number(v) for v in values] for k, values in history.history.items()},
            "evaluate": {k: number(v) for k, v in evaluated.items()},
            "final_weights": [{"path": f"{w.path.split('/')[-2]}/{w.name}", "value": tensor(w.value)} for w in model.weights],
        },
    }


def regularized_training(out):
    sgd = {"learning_rate": 0.05, "momentum": 0.9}
    adam = {"learning_rate": 0.02}
    c = training
    cases = [
        c("penalties_sgd", "penalties", "SGD", sgd),
        c("penalties_adam", "penalties", "Adam", adam),
        c("penalties_frozen", "penalties", "SGD", sgd, frozen=True),
        c("shared", "shared", "SGD", sgd),
        c("bounds_sgd", "bounds", "SGD", sgd),
        c("bounds_accumulation", "bounds", "SGD", {**sgd, "gradient_accumulation_steps": 2}),
        c("bounds_ema", "bounds", "SGD", {**sgd, "use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 4}),
        c("ema", "shared", "Adam", {**adam, "use_ema": True, "ema_momentum": 0.9}),
        c("accumulation_clipped", "shared", "Adam", {**adam, "gradient_accumulation_steps": 3, "global_clipnorm": 0.5, "weight_decay": 0.1}),
    ]
    write(out, "regularized_training", cases)


RECORDERS = [optimizer_options, regularizers, constraints, regularized_training]


if __name__ == "__main__":
    run(RECORDERS, __doc__)
