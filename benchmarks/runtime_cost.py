"""What the runtime guard costs, as ratios of guarded over unguarded work in one process.

    python benchmarks/runtime_cost.py [--blocks 1000] [--json FILE]

Each case has three losses on the same network and data: torch's own class, which is watched, and two twins
of it that run the same code unwatched. Short blocks of the three take turns in random order, a few
milliseconds each, so that whatever else the machine does meets all. Two ratios of guarded over unguarded are
given: of the lower quartiles, which is the one to hold against the limit, with the lowest and the highest
of five hands that the blocks are dealt out to; and of the fastest blocks. "noise" is the ratio of the
quartiles of the two twins, which would be 1 on a quiet machine. The guard has seen every call before
(steady state): its checks of numbers, which thin out by powers of two, are not in it.

On a machine with an accelerator a ResNet-18 step is timed there as well, and
torch.cuda.set_sync_debug_mode("error") holds the guard to its word that it never waits.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import types
from collections.abc import Callable
from time import perf_counter, process_time
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from torchlosslint.runtime import install, uninstall

LIMITS = {"64x10": 1.10, "256x1000": 1.02, "mlp step": 1.02, "ResNet-18 step": 1.01}  # ratios
IMPORT_LIMIT = 0.030  # seconds on top of torch's own


def unwatched() -> type[nn.CrossEntropyLoss]:
    """The class as it is without a guard: a copy of its code, which calls a copy of the function.

    To be called before anything is watched.
    """
    functional = types.SimpleNamespace(cross_entropy=copied(F.cross_entropy))
    return type(
        "Unwatched", (nn.CrossEntropyLoss,), {"forward": copied(nn.CrossEntropyLoss.forward, functional)}
    )


def copied(function: Any, functional: Any = None) -> types.FunctionType:
    space = function.__globals__ if functional is None else {**function.__globals__, "F": functional}
    return types.FunctionType(function.__code__, space, function.__name__, function.__defaults__)


Step = Callable[[], None]
Case = Callable[[nn.Module], Step]  # the same network and data, with this loss


def cross_entropy(rows: int, classes: int) -> Case:
    """Forward and backward of the loss alone."""
    x = torch.randn(rows, classes, requires_grad=True)
    y = torch.randint(0, classes, (rows,))

    def case(loss: nn.Module) -> Step:
        def step() -> None:
            x.grad = None
            loss(x * 1.0, y).backward()

        return step

    return case


def training(net: nn.Module, x: torch.Tensor, y: torch.Tensor) -> Case:
    """A whole training step."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)

    def case(loss: nn.Module) -> Step:
        def step() -> None:
            optimizer.zero_grad()
            loss(net(x), y).backward()
            optimizer.step()

        return step

    return case


def mlp(width: int = 64, layers: int = 9, batch: int = 32) -> Case:
    """A small network: batch 32, nine linear layers."""
    parts: list[nn.Module] = []
    for _ in range(layers - 1):
        parts += [nn.Linear(width, width), nn.ReLU()]
    net = nn.Sequential(*parts, nn.Linear(width, 10))
    return training(net, torch.randn(batch, width), torch.randint(0, 10, (batch,)))


class Block(nn.Module):
    """The basic block of a ResNet (He et al. 2015, table 1)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)])
        self.beside: nn.Module = nn.Identity()
        if stride > 1:
            self.beside = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norms[1](self.second(F.relu(self.norms[0](self.first(x)))))
        return F.relu(y + self.beside(x))


def resnet18(device: str = "cuda", batch: int = 32) -> Case:
    """ResNet-18 on 224 x 224 pictures of 1000 classes."""
    parts: list[nn.Module] = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    parts.append(nn.MaxPool2d(3, 2, 1))
    for inputs, outputs, stride in ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)):
        parts += [Block(inputs, outputs, stride), Block(outputs, outputs, 1)]
    net = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000)).to(device)
    x = torch.randn(batch, 3, 224, 224, device=device)
    return training(net, x, torch.randint(0, 1000, (batch,), device=device))


def seconds(step: Step, calls: int, wait: Callable[[], None] | None) -> float:
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


def measure(
    case: Case,
    twin: type[nn.Module],
    blocks: int,
    calls: int,
    warm: int,
    wait: Callable[[], None] | None = None,
) -> dict[str, float]:
    """The figures of one case."""
    steps = [case(loss) for loss in (nn.CrossEntropyLoss(), twin(), twin())]
    for step in steps:
        seconds(step, warm, wait)
    times: list[list[float]] = [[] for _ in steps]
    order = list(range(len(steps)))
    for _ in range(blocks):
        random.shuffle(order)
        for i in order:
            times[i].append(seconds(steps[i], calls, wait) / calls)
    guarded, plain, again = map(quartile, times)
    hands = [quartile(times[0][i::5]) / quartile(times[1][i::5]) for i in range(5)]
    return {
        "quartile": guarded / plain,
        "lowest": min(hands),
        "highest": max(hands),
        "fastest": min(times[0]) / min(times[1]),
        "noise": again / plain,
        "microseconds": (guarded - plain) * 1e6,
    }


def quartile(times: list[float]) -> float:
    """The lower one: what a step costs where little else goes on."""
    return sorted(times)[len(times) // 4]


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


def processor() -> str:
    """Its name, where the system tells."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return f"{names[0] if names else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--blocks", type=int, default=1000)
    parser.add_argument("--json")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    twin = unwatched()
    install("log")
    found: dict[str, Any] = {"torch": torch.__version__, "device": processor()}
    for name, case, calls, warm in (
        ("64x10", cross_entropy(64, 10), 10, 5000),
        ("256x1000", cross_entropy(256, 1000), 4, 1100),
        ("mlp step", mlp(), 4, 1100),
    ):
        found[name] = measure(case, twin, options.blocks, calls, warm)
    if torch.cuda.is_available():
        found["accelerator"] = torch.cuda.get_device_name()
        case = resnet18()
        step = case(nn.CrossEntropyLoss())
        for _ in range(20):
            step()
        torch.cuda.set_sync_debug_mode("error")
        for _ in range(100):
            step()
        torch.cuda.set_sync_debug_mode("default")
        wait = torch.cuda.synchronize
        found["ResNet-18 step"] = measure(case, twin, max(options.blocks // 10, 5), 5, 40, wait)
    uninstall()
    found["import seconds"] = import_seconds()
    for name, value in found.items():
        if isinstance(value, dict):
            spread = f"{value['lowest']:.4f} to {value['highest']:.4f}"
            print(
                f"{name:16} {value['quartile']:.4f} ({spread}), fastest {value['fastest']:.4f}, "
                f"noise {value['noise']:.4f}, {value['microseconds']:.1f} us a step "
                f"(limit {LIMITS[name]:.2f})"
            )
        elif isinstance(value, float):
            print(f"{name:16} {value:.4f}   (limit {IMPORT_LIMIT:.2f})")
        else:
            print(f"{name:16} {value}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(found, file)


if __name__ == "__main__":
    main()
