# mypy: disable-error-code="no-untyped-call"
"""The guard on an accelerator: it does not wait, and is first where it is asked to be. Needs CUDA."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

pytest.importorskip("torch")
import torch
from torch import nn
from torch.nn import functional as F

from torchlosslint.runtime import LossMisuseError, findings, guarded, report

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no accelerator")


@pytest.fixture(autouse=True)
def sound() -> Iterator[None]:
    torch.manual_seed(0)
    yield
    torch.cuda.set_sync_debug_mode("default")
    assert findings.broken() == []


def net(*last: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 10), *last).cuda()


def data() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(8, 4, device="cuda"), torch.randint(0, 10, (8,), device="cuda")


@pytest.mark.parametrize("last", [(), (nn.Softmax(dim=1),)])
def test_no_call_waits(last: tuple[nn.Module, ...]) -> None:
    """Not the first calls either, unless that is asked for: numbers are copied while the program goes on."""
    model, criterion, (x, y) = net(*last), nn.CrossEntropyLoss(weight=torch.ones(10).cuda()), data()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with guarded(lambda finding: None) as seen:
        torch.cuda.set_sync_debug_mode("error")
        for _ in range(70):
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            F.cross_entropy(model(x), y, reduction="none").mean().backward()
            optimizer.step()
        torch.cuda.set_sync_debug_mode("default")
    assert {f.code for f in seen.findings} == ({"TLL101"} if last else set())
    assert [site.calls for site in seen.sites.values()] == [70, 70]
    assert [sum(site.counts) for site in report().sites[-2:]] == [8 * 8, 8 * 8]  # calls 1, 2, 3, 4, 8, ... 64


def test_labels_out_of_range_are_told_before_the_device_asserts() -> None:
    """sync=True waits at the calls that are checked, and raises before torch starts what would break the
    device for good; the process can go on."""
    x, _ = data()
    bad = torch.full((8,), 10, device="cuda")
    with (
        guarded("raise", sync=True),
        pytest.raises(LossMisuseError, match="Class index 10 for scores with 10"),
    ):
        F.cross_entropy(net()(x), bad)
    assert torch.ones(3, device="cuda").sum().item() == 3


def test_numbers_that_arrive_later_are_told_at_a_later_call_or_in_the_report() -> None:
    x, y = data()
    model = net()
    with guarded(lambda finding: None) as seen:
        for _ in range(3):
            F.cross_entropy(model(x * float("nan")), y)
        found = report()
    assert {f.code for f in seen.findings} == {"TLL701"}
    assert "NaN" in str(found)


def test_devices_that_differ_are_named() -> None:
    x, y = data()
    model = net()
    with guarded("raise"), pytest.raises(LossMisuseError, match=r"target .* is on cpu, the input on cuda:0"):
        F.cross_entropy(model(x), y.cpu())
    with guarded("raise"), pytest.raises(LossMisuseError, match="`weight` is on cpu, the scores on cuda:0"):
        nn.CrossEntropyLoss(weight=torch.ones(10))(model(x), y)


def test_bce_under_autocast_is_told_before_torch_raises() -> None:
    x, _ = data()
    model = net(nn.Sigmoid())
    with guarded("raise"), torch.autocast("cuda"), pytest.raises(LossMisuseError, match="TLL505"):
        F.binary_cross_entropy(model(x), torch.ones(8, 10, device="cuda"))


def test_backward_on_a_detached_loss_is_named_without_waiting() -> None:
    x, y = data()
    model = net()
    with guarded(lambda finding: None) as seen:
        torch.cuda.set_sync_debug_mode("error")
        loss = F.cross_entropy(model(x), y).detach().requires_grad_()
        loss.backward()
        torch.cuda.set_sync_debug_mode("default")
    assert [f.code for f in seen.findings] == ["TLL119"]


def test_a_graph_can_be_recorded_under_the_guard() -> None:
    x, y = data()
    model, criterion = net(), nn.CrossEntropyLoss()
    with guarded("log") as seen:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                criterion(model(x), y).backward()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        model.zero_grad(set_to_none=True)
        with torch.cuda.graph(graph):
            loss = criterion(model(x), y)
            loss.backward()
        graph.replay()
    assert torch.isclose(loss, criterion(model(x), y))
    assert seen.findings == []


BREAKS = """
import torch
from torch.nn import functional as F
from torchlosslint.runtime import guarded
labels = torch.zeros(8, device="cuda").long()
with guarded("warn"):
    for call in range(5):
        labels[0] = 10 if call == 3 else 0
        F.cross_entropy(torch.randn(8, 10, device="cuda"), labels)
        torch.cuda.synchronize()
"""


def test_the_call_that_broke_the_device_is_named() -> None:
    """In a process of its own: the device is lost to it for good."""
    done = subprocess.run([sys.executable, "-c", BREAKS], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Class index 10 for scores with 10 classes (0..9)" in done.stderr
    assert "seen at call 4 of F.cross_entropy" in done.stderr
    assert "the check" not in done.stderr


def test_half_precision_and_peak_memory() -> None:
    """The guard needs less beside the loss than the loss itself."""
    x = torch.randn(4096, 50_000, device="cuda", dtype=torch.bfloat16)
    y = torch.randint(0, 50_000, (4096,), device="cuda")

    def peak() -> int:
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        scores = x.detach().requires_grad_()
        F.cross_entropy(scores, y).backward()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated()

    alone = peak()
    with guarded("log") as seen:
        assert peak() <= alone * 1.01
    assert [site.checked for site in seen.sites.values()] == [1]
    assert seen.findings == []


def test_targets_out_of_range_are_told_later() -> None:
    scores = nn.Linear(4, 1).cuda()(torch.randn(8, 4, device="cuda"))
    with guarded(lambda finding: None) as seen:
        F.binary_cross_entropy_with_logits(scores + 9, torch.full((8, 1), 9.0, device="cuda"))
        report()
    assert "TLL306" in {f.code for f in seen.findings}
