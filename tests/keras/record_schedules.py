"""Records what learning-rate schedules of Keras give, and what optimizers do with them.

Usage: python record_schedules.py [--out DIR] [NAME ...]

NAME is one of the recorders below (schedules, scheduled_training); without a name
both run.
"""

from record import keras, jnp, normal, np, number, plain, run, tensor, tensors, write

SCHEDULES = keras.optimizers.schedules


# --------------------------------------------------------------------------
# Rates


def rates_of(name, cls, arguments, steps):
    schedule = getattr(SCHEDULES, cls)(**arguments)
    values = [number(schedule(jnp.asarray(step, "int32"))) for step in steps]
    json = keras.saving.serialize_keras_object(schedule)
    return {"name": name, "schedule": cls, "json": plain(json), "steps": steps, "rates": values}


def schedules(out):
    around = [0, 1, 2, 5, 9, 10, 11, 15, 19, 20, 21, 35, 40, 77, 100, 1000]
    rate = {"initial_learning_rate": 0.1}
    restarts = [0, 1, 4, 5, 9, 11, 14, 16, 25, 29, 31, 50, 69, 71, 100]
    c = rates_of
    cases = [
        c("exponential", "ExponentialDecay", {**rate, "decay_steps": 10, "decay_rate": 0.96}, around),
        c("exponential_staircase", "ExponentialDecay", {**rate, "decay_steps": 10, "decay_rate": 0.5, "staircase": True}, around),
        c("exponential_growth", "ExponentialDecay", {**rate, "decay_steps": 40, "decay_rate": 1.5}, around),
        c("inverse_time", "InverseTimeDecay", {**rate, "decay_steps": 10, "decay_rate": 0.5}, around),
        c("inverse_time_staircase", "InverseTimeDecay", {**rate, "decay_steps": 10, "decay_rate": 2.0, "staircase": True}, around),
        c("polynomial", "PolynomialDecay", {**rate, "decay_steps": 20}, around),
        c("polynomial_power", "PolynomialDecay", {**rate, "decay_steps": 40, "end_learning_rate": 0.01, "power": 0.5}, around),
        c("polynomial_cycle", "PolynomialDecay", {**rate, "decay_steps": 10, "end_learning_rate": 0.01, "power": 2.0, "cycle": True}, around),
        c("piecewise", "PiecewiseConstantDecay", {"boundaries": [10, 20], "values": [0.5, 0.25, 0.125]}, around),
        c("piecewise_one", "PiecewiseConstantDecay", {"boundaries": [1], "values": [0.5, 0.25]}, around),
        c("cosine", "CosineDecay", {**rate, "decay_steps": 20}, around),
        c("cosine_alpha", "CosineDecay", {**rate, "decay_steps": 40, "alpha": 0.1}, around),
        c("cosine_warmup", "CosineDecay", {"initial_learning_rate": 0.0, "decay_steps": 20, "warmup_target": 0.1, "warmup_steps": 10}, around),
        c("cosine_warmup_alpha", "CosineDecay", {**rate, "decay_steps": 30, "alpha": 0.2, "warmup_target": 0.4, "warmup_steps": 5}, around),
        c("restarts", "CosineDecayRestarts", {**rate, "first_decay_steps": 10}, restarts),
        c("restarts_equal", "CosineDecayRestarts", {**rate, "first_decay_steps": 10, "t_mul": 1.0, "m_mul": 0.5}, restarts),
        c("restarts_all", "CosineDecayRestarts", {**rate, "first_decay_steps": 5, "t_mul": 1.5, "m_mul": 0.8, "alpha": 0.05}, [0, 1, 4, 6, 11, 14, 22, 30, 50]),
    ]
    write(out, "schedules", cases)


# --------------------------------------------------------------------------
# Training


def training(name, optimizer, schedule, arguments, more):
    """Three epochs of five batches, the last one of which is smaller."""
    keras.utils.clear_session()
    rate = getattr(SCHEDULES, schedule)(**arguments)
    x, y = normal(400, (18, 3)), normal(401, (18, 1))
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    kernel, bias = normal(402, (3, 1)), normal(403, (1,))
    model.set_weights([kernel, bias])
    model.compile(getattr(keras.optimizers, optimizer)(learning_rate=rate, **more), "mse")
    # This callback writes the rate into the logs, and is too patient to change it.
    patient = keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=1000)
    history = model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0, callbacks=[patient])
    return {
        "name": name,
        "optimizer": optimizer,
        "json": plain(keras.saving.serialize_keras_object(rate)),
        "arguments": more,
        "inputs": tensors({"x": x, "y": y}),
        "initial_weights": tensors({"kernel": kernel, "bias": bias}),
        "history": {key: [number(v) for v in values] for key, values in history.history.items()},
        "rate_after": number(np.asarray(model.optimizer.learning_rate)),
        "iteration": int(np.asarray(model.optimizer.variables[0])),
        "num_variables": len(model.optimizer.variables),
        "final_weights": [tensor(w) for w in model.get_weights()],
    }


def scheduled_training(out):
    c = training
    cosine = {"initial_learning_rate": 0.0, "decay_steps": 10, "warmup_target": 0.1, "warmup_steps": 4}
    cases = [
        c("sgd_exponential", "SGD", "ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 5, "decay_rate": 0.5}, {"momentum": 0.9}),
        c("adam_cosine", "Adam", "CosineDecay", cosine, {}),
        c("adamw_polynomial", "AdamW", "PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 12}, {"weight_decay": 0.1}),
        # Steps are batches, also where they are accumulated.
        c("sgd_accumulated", "SGD", "PiecewiseConstantDecay", {"boundaries": [3, 7], "values": [0.1, 0.2, 0.05]}, {"gradient_accumulation_steps": 2}),
    ]
    write(out, "scheduled_training", cases)


if __name__ == "__main__":
    run([schedules, scheduled_training], __doc__)
