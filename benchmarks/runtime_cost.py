"""What the runtime guard costs, as ratios of guarded over unguarded work in one process.

    python benchmarks/runtime_cost.py [--rounds 60] [--json FILE]

Blocks of guarded and unguarded calls take turns, so that whatever else the machine does meets both;
the figure is the median of the ratios of neighbours. The guard has seen every call before (steady
state): its checks of numbers, which thin out by powers of two, are not in it. On a machine with an
accelerator a ResNet-like step is timed there as well, and torch.cuda.set_sync_debug_mode("error")
holds the guard to its word that it never waits.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from time import perf_counter, process_time
from typing import Any

import torch
from torch import nn

from torchlosslint.runtime import install, uninstall

LIMITS = {"64x10": 1.10, "256x1000": 1.02, "mlp step": 1.02, "accelerator step": 1.01}  # ratios
IMPORT_LIMIT = 0.030  # seconds on top of torch's own
WARM = 3000  # calls before the first measurement: the next check of numbers is then far away


def cross_entropy(rows: int, classes: int) -> Callable[[], None]:
    """Forward and backward of the loss alone."""
    x = torch.randn(rows, classes, requires_grad=True)
    y = torch.randint(0, classes, (rows,))
    loss = nn.CrossEntropyLoss()

    def step() -> None:
        x.grad = None
        loss(x * 1.0, y).backward()

    return step


def training(net: nn.Module, x: torch.Tensor, y: torch.Tensor) -> Callable[[], None]:
    """A whole training step."""
    loss, optimizer = nn.CrossEntropyLoss(), torch.optim.SGD(net.parameters(), lr=0.01)

    def step() -> None:
        optimizer.zero_grad()
        loss(net(x), y).backward()
        optimizer.step()

    return step


def mlp(width: int = 64, layers: int = 9, batch: int = 32) -> Callable[[], None]:
    """A small network: batch 32, nine linear layers."""
    parts: list[nn.Module] = []
    for _ in range(layers - 1):
        parts += [nn.Linear(width, width), nn.ReLU()]
    net = nn.Sequential(*parts, nn.Linear(width, 10))
    return training(net, torch.randn(batch, width), torch.randint(0, 10, (batch,)))


def on_accelerator(device: Any) -> Callable[[], None]:
    """A convolutional network of about the work of a ResNet-18 at batch 32."""
    parts: list[nn.Module] = [nn.Conv2d(3, 64, 7, 2, 3), nn.BatchNorm2d(64), nn.ReLU()]
    for inputs, outputs, stride in ((64, 64, 2), (64, 128, 2), (128, 256, 2), (256, 512, 2)):
        for i in range(4):
            parts += [
                nn.Conv2d(inputs if not i else outputs, outputs, 3, stride if not i else 1, 1),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            ]
    net = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000)).to(device)
    x, y = torch.randn(32, 3, 224, 224, device=device), torch.randint(0, 1000, (32,), device=device)
    return training(net, x, y)


def seconds(step: Callable[[], None], calls: int, wait: Callable[[], None] | None) -> float:
    """On the CPU the time that this process computed, which other work on the machine does not lengthen."""
    clock = process_time
    if wait is not None:
        clock = perf_counter
        wait()
    start = clock()
    for _ in range(calls):
        step()
    if wait is not None:
        wait()
    return clock() - start


def ratio(
    step: Callable[[], None], rounds: int, calls: int, wait: Callable[[], None] | None, warm: int
) -> float:
    """The median of guarded over unguarded, blocks taking turns in either order."""
    install("log")
    for _ in range(warm):
        step()
    found = []
    watched = install("log")
    for _ in range(warm):
        step()
    for i in range(rounds):
        times = {}
        for guarded in (True, False) if i % 2 else (False, True):
            if guarded:
                _again(watched)
            else:
                uninstall()
            seconds(step, max(calls // 10, 2), wait)
            times[guarded] = seconds(step, calls, wait)
        found.append(times[True] / times[False])
    uninstall()
    return statistics.median(found)


def _again(session: Any) -> None:
    """install() with the memory of before."""
    from torchlosslint.runtime.session import WATCHED

    install("log")
    WATCHED.installed = session
    WATCHED.renew()


def import_seconds(rounds: int = 7) -> float:
    """What the import adds to torch's own: the median over fresh processes."""
    code = (
        "import time, torch\nstart = time.process_time()\nimport torchlosslint.runtime\n"
        "print(time.process_time() - start)"
    )
    with tempfile.TemporaryDirectory() as folder:  # with bytecode, as in an installed package
        env = {**os.environ, "PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        command = [sys.executable, "-c", code]
        runs = [
            subprocess.run(command, capture_output=True, text=True, env=env, check=True)
            for _ in range(rounds + 1)
        ]
    return statistics.median(float(run.stdout) for run in runs[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--json")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    cases = {"64x10": (cross_entropy(64, 10), 200), "256x1000": (cross_entropy(256, 1000), 20)}
    cases["mlp step"] = (mlp(), 40)
    found: dict[str, Any] = {"torch": torch.__version__, "device": "cpu"}
    for name, (step, calls) in cases.items():
        found[name] = ratio(step, options.rounds, calls, None, WARM if calls > 50 else WARM // 5)
    if torch.cuda.is_available():
        step = on_accelerator("cuda")
        found["device"] = torch.cuda.get_device_name()
        install("log")
        for _ in range(20):
            step()
        torch.cuda.set_sync_debug_mode("error")
        for _ in range(100):
            step()
        torch.cuda.set_sync_debug_mode("default")
        uninstall()
        found["accelerator step"] = ratio(step, max(options.rounds // 4, 5), 10, torch.cuda.synchronize, 40)
    found["import seconds"] = import_seconds()
    for name, value in found.items():
        limit = IMPORT_LIMIT if name == "import seconds" else LIMITS.get(name)
        shown = f"{value:.4f}" if isinstance(value, float) else value
        print(f"{name:18} {shown}" + (f"   (limit {limit:.2f})" if limit else ""))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(found, file)


if __name__ == "__main__":
    main()
