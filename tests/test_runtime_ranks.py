"""Two processes of torch.distributed on the CPU (gloo) under the guard: DDP, FSDP, fully_shard."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

dist = pytest.importorskip("torch.distributed")
pytestmark = [
    pytest.mark.skipif(not dist.is_available() or not dist.is_gloo_available(), reason="gloo is missing"),
    pytest.mark.skipif(
        not hasattr(os, "fork"), reason="the second process is a fork: torch is imported once"
    ),
]

RANKS = """
import json, os, sys, warnings
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.nn import functional as F
from torchlosslint.runtime import findings, guarded, report

warnings.simplefilter("ignore")
torch.set_num_threads(1)
child = os.fork()
rank = 0 if child else 1
dist.init_process_group("gloo", init_method="file://" + sys.argv[1], rank=rank, world_size=2)
labels = torch.tensor([0, 0, 0, 0, 1, rank])


def sharded(net):
    mesh = init_device_mesh("cpu", (2,))
    for layer in list(net)[:2]:
        fully_shard(layer, mesh=mesh)
    return fully_shard(net, mesh=mesh)


def train(wrap, *last):
    torch.manual_seed(rank)
    net = wrap(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3), *last))
    optimizer, criterion = torch.optim.SGD(net.parameters(), lr=0.1), nn.CrossEntropyLoss()
    for _ in range(4):
        optimizer.zero_grad()
        loss = criterion(net(torch.randn(6, 4)), labels)
        loss.backward()
        optimizer.step()
    return loss.item()


WRAPS = {
    "DistributedDataParallel": nn.parallel.DistributedDataParallel,
    "FullyShardedDataParallel": lambda net: FullyShardedDataParallel(net, device_id=torch.device("cpu")),
    "fully_shard": sharded,
}
answer = {}
for name, wrap in WRAPS.items():
    plain = train(wrap)
    with guarded(lambda finding: None) as right:
        same = train(wrap) == plain
    with guarded(lambda finding: None) as wrong:
        train(wrap, nn.Softmax(dim=1))
    answer[name] = {
        "same": same,
        "right": [str(f) for f in right.findings],
        "wrong": [(f.code, f.rank, f"[rank {f.rank}]" in str(f)) for f in wrong.findings],
    }
counts = [site.counts for site in report(reduce=True).sites]
answer["counts"], answer["broken"] = counts, findings.broken()
with open(f"{sys.argv[1]}.{rank}", "w") as file:
    json.dump(answer, file)
dist.destroy_process_group()
if child:
    os.waitpid(child, 0)
"""
WRAPS = ["DistributedDataParallel", "FullyShardedDataParallel", "fully_shard"]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of the two processes saw."""
    meet: Path = tmp_path_factory.mktemp("ranks") / "meet"
    done = subprocess.run(
        [sys.executable, "-c", RANKS, str(meet)], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(Path(f"{meet}.{rank}").read_text("utf-8")) for rank in range(2)]


@pytest.mark.parametrize("wrap", WRAPS)
def test_training_is_what_it_is_without_the_guard(ranks: list[dict[str, Any]], wrap: str) -> None:
    assert [answer[wrap]["same"] for answer in ranks] == [True, True]
    assert [answer[wrap]["right"] for answer in ranks] == [[], []]
    assert [answer["broken"] for answer in ranks] == [[], []]


@pytest.mark.parametrize("wrap", WRAPS)
def test_each_rank_says_what_it_finds_and_who_it_is(ranks: list[dict[str, Any]], wrap: str) -> None:
    assert [answer[wrap]["wrong"] for answer in ranks] == [[["TLL101", rank, True]] for rank in range(2)]


def test_label_counts_are_those_of_both_ranks(ranks: list[dict[str, Any]]) -> None:
    """In each checked call rank 0 has the labels 0 five times and 1 once, rank 1 four times and twice."""
    for answer in ranks:
        assert answer["counts"] == [[9 * 4, 3 * 4, 0]] * 2 * len(WRAPS)
