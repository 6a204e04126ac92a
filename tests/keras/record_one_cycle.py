"""Records the learning rates of PyTorch's one-cycle schedule, for which Keras has none.

Usage: python record_one_cycle.py [--out DIR]

Needs `pip install torch`, and a process without JAX: both bring an LLVM of their own.
"""

import argparse
import json
import pathlib

import torch


def rates_of(name, total, arguments):
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, total_steps=total, cycle_momentum=False, **arguments)
    rates = []
    for step in range(total):
        rates.append(float(f"{schedule.get_last_lr()[0]:.9g}"))
        optimizer.step()
        if step + 1 < total:
            schedule.step()
    return {"name": name, "total_steps": total, "arguments": arguments, "rates": rates}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent / "recorded")
    smith = {"three_phase": True, "anneal_strategy": "linear", "pct_start": 0.45, "div_factor": 10.0, "final_div_factor": 100.0}
    cases = [
        rates_of("default", 20, {"max_lr": 0.5}),
        rates_of("linear", 20, {"max_lr": 0.5, "anneal_strategy": "linear", "pct_start": 0.45}),
        rates_of("three_phases", 30, {"max_lr": 0.5, "three_phase": True, "pct_start": 0.4}),
        rates_of("smith", 30, {"max_lr": 1.0, **smith}),
    ]
    lines = ",\n".join("    " + json.dumps(case) for case in cases)
    text = f'{{\n  "torch": "{torch.__version__.split("+")[0]}",\n  "cases": [\n{lines}\n  ]\n}}\n'
    path = parser.parse_args().out / "one_cycle.json"
    path.write_text(text)
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
