# mypy: disable-error-code="no-untyped-call"
"""The guard's way on an accelerator, held to its word on machines without one.

Two stand-ins. Fake tensors of a CUDA device compute nothing: whatever would read a number, or has a shape
that depends on one, raises, and devices are followed truly. CPU tensors that the guard takes for those of an
accelerator, with events that the test decides on, show when numbers are read and what is said then.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from test_runtime_matrix import MISTAKES, right

pytest.importorskip("torch")
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from torchlosslint import contracts
from torchlosslint.contracts.base import LossContract
from torchlosslint.runtime import (
    LossMisuseError,
    LossMisuseWarning,
    findings,
    guarded,
    inspecting,
    pending,
    report,
    results,
)
from torchlosslint.runtime.call import bind
from torchlosslint.runtime.checks.measure import counts, measure, pack, weighed

# What waits for an accelerator, whatever the reason: numbers that are read, shapes that depend on numbers.
WAITING = frozenset(
    "aten::_local_scalar_dense aten::item aten::equal aten::is_nonzero aten::nonzero aten::nonzero_numpy "
    "aten::bincount aten::_unique2 aten::unique_dim aten::unique_consecutive aten::masked_select "
    "aten::repeat_interleave aten::histc aten::_to_copy aten::_assert_async".split()
)


class Device:
    """The part of torch.cuda that the guard uses. Events are done when the test says so."""

    def __init__(self) -> None:
        self.done = self.lost = False
        self.recording = False
        device = self

        class Event:
            def record(self, stream: object) -> None:
                assert stream == "stream"

            def query(self) -> bool:
                assert not device.recording, "an event was asked about while a graph is recorded"
                if device.lost:
                    raise RuntimeError("CUDA error: device-side assert triggered")
                return device.done

            def synchronize(self) -> None:
                if device.lost:
                    raise RuntimeError("CUDA error: device-side assert triggered")
                device.done = True

        self.Event = Event

    def current_stream(self, device: torch.device) -> str:
        return "stream"

    def is_initialized(self) -> bool:
        return True

    def is_current_stream_capturing(self) -> bool:
        return self.recording


class Recorded(TorchDispatchMode):
    """Operations by name; those of the loss itself, and of backward(), are among them."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name
        kwargs = kwargs or {}
        if name == "aten::_to_copy" and kwargs.get("device") is None:
            name = "a cast"
        if name in ("aten::index", "aten::index_put_") and any(
            i is not None and i.dtype == torch.bool for i in args[1]
        ):
            name = "aten::nonzero"
        self.seen.append(name)
        result = func(*args, **kwargs)
        given = {arg.untyped_storage()._cdata for arg in args if isinstance(arg, torch.Tensor)}
        if isinstance(result, torch.Tensor) and result.untyped_storage()._cdata not in given:
            self.largest = max(self.largest, result.numel())
        return result

    @property
    def waiting(self) -> list[str]:
        return [name for name in self.seen if name in WAITING]


@pytest.fixture(autouse=True)
def sound() -> Iterator[None]:
    torch.manual_seed(0)
    yield
    pending.PENDING.waiting.clear()
    assert findings.broken() == []


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Device:
    """CPU tensors are those of an accelerator from here on."""
    made = Device()
    monkeypatch.setattr(inspecting, "_on_cpu", lambda call: False)
    monkeypatch.setattr(results, "_lowest", lambda result: None)
    monkeypatch.setattr(results, "_host", lambda result: False)
    monkeypatch.setattr(inspecting, "_DEVICES", [made])
    space = {**vars(torch), "get_device_module": lambda device: made}
    monkeypatch.setattr(pending, "torch", SimpleNamespace(**space))
    monkeypatch.setattr(pending, "_room", lambda tensor: torch.zeros(tensor.shape, dtype=tensor.dtype))
    return made


def fake(mode: FakeTensorMode, value: Any) -> Any:
    """The same, on a CUDA device that need not exist."""
    if not isinstance(value, torch.Tensor):
        return value
    with mode:
        place = "cpu" if value.is_meta else "cuda"
        return torch.empty(value.shape, dtype=value.dtype, device=place)


def uses(c: LossContract) -> Iterator[dict[str, Any]]:
    """The right call of a loss, and all that are wrong."""
    args = right(c)[1]
    yield args
    yield from filter(None, (mistake(c, args) for mistake in MISTAKES.values()))


@pytest.mark.parametrize("c", [c for c in contracts.ALL if c.function], ids=lambda c: c.key)
def test_no_measurement_reads_a_number_or_leaves_the_device(c: LossContract) -> None:
    for args in uses(c):
        measured_on_a_device_that_is_not_there(c, args)


def measured_on_a_device_that_is_not_there(c: LossContract, changed: dict[str, Any]) -> None:
    mode = FakeTensorMode()
    given = {name: fake(mode, value) for name, value in changed.items()}
    with mode, torch.no_grad():
        call = bind(c, None, (), given)
        for _, check in inspecting.METADATA:
            list(check(call))
        found = measure(call)
        labels = counts(call)
        if labels is not None:
            weighed(call, labels, found)
            assert labels.device.type == "cuda"
        assert all(number.device.type == "cuda" for number in found.values())
        assert not found or pack(found).device.type == "cuda"


def step(scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(scores, labels)


def batch(classes: int = 10) -> tuple[torch.Tensor, torch.Tensor]:
    return nn.Linear(4, classes)(torch.randn(8, 4)), torch.randint(0, classes, (8,))


def test_no_call_waits_whatever_is_found_and_however_many_there_are(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspecting, "undisturbed", lambda: True)
    monkeypatch.setattr(results, "undisturbed", lambda: True)
    model = nn.Sequential(nn.Linear(4, 10), nn.Softmax(dim=1))
    criterion = nn.CrossEntropyLoss(weight=torch.ones(10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with guarded(lambda finding: None) as seen, Recorded() as recorded:
        for i in range(70):
            device.done = i % 3 == 2
            x, y = torch.randn(8, 4), torch.randint(0, 10, (8,))
            optimizer.zero_grad()
            (criterion(model(x), y) + F.cross_entropy(model[0](x), y, reduction="none").mean()).backward()
            F.mse_loss(model(x).detach(), torch.rand(8, 10))
            optimizer.step()
    assert {f.code for f in seen.findings} == {"TLL101"}
    assert [site.calls for site in seen.sites.values()] == [70] * 3
    assert [site.checked for site in seen.sites.values()] == [8] * 3  # calls 1, 2, 3, 4, 8, ... 64
    assert recorded.waiting == []
    found = report()
    assert [sum(site.counts) for site in found.sites[-3:]] == [8 * 8, 8 * 8, 0]


def test_numbers_are_told_soon_with_the_call_that_they_belong_to(device: Device) -> None:
    """Some have arrived, others from the same place have not."""
    told: list[findings.Finding] = []
    with guarded(told.append):
        for i in range(70):
            scores, labels = batch()
            step(scores * float("nan") if i + 1 == 64 else scores, labels)
            device.done = i >= 1
            assert not told or i >= 64
    (found,) = told
    assert (found.code, found.call, found.function) == ("TLL701", 64, "step")


def test_what_has_not_arrived_stays_until_the_report(device: Device) -> None:
    with guarded(lambda finding: None) as seen:
        for _ in range(20):
            step(torch.full((8, 10), float("nan")), torch.zeros(8).long())
    assert seen.findings == []
    text = str(report())
    assert [(f.code, f.call) for f in seen.findings] == [("TLL701", 1)]
    assert "NaN" in text


def test_numbers_are_told_by_the_guard_that_measured_them(device: Device) -> None:
    with guarded(lambda finding: None) as first:
        step(torch.full((8, 10), float("nan")), torch.zeros(8).long())
    device.done = True
    with guarded(lambda finding: None) as second:
        step(*batch())
    assert [f.code for f in first.findings] == ["TLL701"]
    assert second.findings == []


def test_the_end_of_a_block_tells_what_is_there(device: Device) -> None:
    def train() -> None:
        with guarded("raise"):
            for _ in range(3):  # the first calls wait
                step(*batch())
            step(torch.full((8, 10), float("nan")), torch.zeros(8).long())
            device.done = True

    with pytest.raises(LossMisuseError, match="NaN"):
        train()


def test_raise_comes_first_at_the_first_calls_and_with_sync_at_every_call(device: Device) -> None:
    bad = torch.full((8,), 10)
    with guarded("raise"), pytest.raises(LossMisuseError, match="Class index 10"):
        step(batch()[0], bad)
    with guarded("raise", sync=True):
        for _ in range(70):
            step(*batch())
        with pytest.raises(LossMisuseError, match="seen at call 71"):
            step(batch()[0], bad)


def lose(device: Device) -> None:
    """A label out of range at a call that is looked at; the device answers no more from there on."""
    for _ in range(3):
        step(*batch())
    scores, labels = batch()
    labels[0] = 10
    try:
        step(scores, labels)
    except IndexError:
        device.lost = True
    raise RuntimeError("CUDA error: device-side assert triggered")


@pytest.mark.parametrize("word", ["warn", "raise"])
def test_the_error_of_a_lost_device_leaves_the_block_with_the_call_named(device: Device, word: str) -> None:
    with (
        pytest.warns(
            LossMisuseWarning, match=r"Class index 10 for scores with 10 classes[^$]*seen at call 4"
        ),
        pytest.raises(RuntimeError, match="device-side assert"),
        guarded(word) as seen,
    ):
        lose(device)
    assert [(f.code, f.call) for f in seen.findings] == [("TLL306", 4)]


def test_a_lost_device_is_survived_by_the_report(device: Device) -> None:
    with guarded(lambda finding: None) as seen:
        step(torch.full((8, 10), float("nan")), torch.zeros(8).long())
        pending.PENDING.waiting[-1].packed.zero_()  # of the second tensor nothing has arrived
        device.lost = True
        report()
    assert [f.code for f in seen.findings] == ["TLL701"]


def test_backward_that_meets_a_lost_device_tells_why(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    def backward(*args: Any, **kwargs: Any) -> None:
        device.lost = True
        raise RuntimeError("CUDA error: device-side assert triggered")

    told: list[findings.Finding] = []
    with guarded(told.append):
        loss = step(batch()[0] * float("nan"), torch.zeros(8).long())
        monkeypatch.setattr(torch.autograd, "backward", backward)
        with pytest.raises(RuntimeError, match="device-side assert"):
            loss.backward()
        assert [f.code for f in told] == ["TLL701"]


def test_nothing_is_done_while_a_graph_is_recorded(device: Device) -> None:
    with guarded(lambda finding: None) as seen:
        step(*batch())
        device.recording = device.done = True
        scores, labels = batch()
        with Recorded() as recorded:
            for _ in range(20):
                step(scores, labels)
        alone = recorded.seen
        device.recording = False
    with Recorded() as recorded:
        for _ in range(20):
            step(scores, labels)
    assert alone == recorded.seen
    assert seen.findings == []


def test_a_negative_loss_is_told_later(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspecting, "readable", lambda call: False)
    with guarded(lambda finding: None) as seen:
        F.binary_cross_entropy_with_logits(torch.tensor([4.0, -4.0]), torch.tensor([255.0, 0.0]))
        report()
    assert [f.code for f in seen.findings] == ["TLL704"]


def test_a_device_without_streams_is_read_by_the_report(device: Device) -> None:
    del Device.current_stream
    try:
        with guarded(lambda finding: None) as seen:
            step(torch.full((8, 10), float("nan")), torch.zeros(8).long())
            assert seen.findings == []
            report()
    finally:
        Device.current_stream = lambda self, device: "stream"  # type: ignore[method-assign]
    assert [f.code for f in seen.findings] == ["TLL701"]


def test_no_more_than_a_few_results_are_in_flight(device: Device) -> None:
    with guarded(lambda finding: None, every=1):
        for _ in range(200):
            step(*batch())
        assert len(pending.PENDING.waiting) == pending.MOST


def saved_elsewhere(run: Callable[[], torch.Tensor]) -> tuple[torch.Tensor, list[int]]:
    unpacked: list[int] = []

    def unpack(packed: torch.Tensor) -> torch.Tensor:
        unpacked.append(1)
        return packed

    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: tensor, unpack):
        return run(), unpacked


@pytest.mark.parametrize(
    "last",
    [
        lambda x: x * torch.ones(8, 10),
        lambda x: x[torch.arange(8)],
        lambda x: x.clamp(torch.tensor(-9.0), torch.tensor(9.0)),
    ],
)
def test_saved_tensors_are_left_where_hooks_have_put_them(last: Any) -> None:
    """They may lie on another device, or be computed anew by a checkpoint."""
    scores, unpacked = saved_elsewhere(lambda: last(batch()[0]))
    with guarded(lambda finding: None) as seen:
        F.cross_entropy(scores, torch.zeros(8).long())
    assert (unpacked, seen.findings) == ([], [])
    scores.sum().backward()  # frees the graph; a second loss of the same scores is still looked at
    with guarded(lambda finding: None) as seen:
        F.cross_entropy(scores.detach() * 1, torch.zeros(8).long())
        F.cross_entropy(scores, torch.zeros(8).long())
    assert seen.findings == []


def test_wide_copies_of_large_tensors_are_made_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchlosslint.runtime.checks import measure as module

    contract = next(c for c in contracts.ALL if c.key == "cross_entropy")
    for shape in ((64, 50), (2, 5, 320), (1, 320, 10)):
        x = torch.randn(shape).to(torch.bfloat16)
        y = torch.randn(shape).softmax(1).to(torch.bfloat16)
        x.view(-1)[7] = float("nan")
        call = bind(contract, None, (x, y), {})
        monkeypatch.setattr(module, "AT_ONCE", 10**9)
        whole = measure(call)
        monkeypatch.setattr(module, "AT_ONCE", 400)
        with Recorded() as recorded:
            parts = measure(call)
        assert recorded.largest <= 400
        assert whole.keys() == parts.keys()
        for name, number in whole.items():
            torch.testing.assert_close(parts[name], number, equal_nan=True, rtol=1e-4, atol=1e-4)


def test_the_default_device_hides_no_number_and_counts_no_call_twice() -> None:
    with guarded(lambda finding: None) as seen, warnings.catch_warnings(), torch.device("cpu"):
        F.cross_entropy(torch.full((8, 10), float("nan")), torch.zeros(8).long())
        nn.CrossEntropyLoss()(*batch())
    assert [(f.code, f.call) for f in seen.findings] == [("TLL701", 1)]
    assert [site.calls for site in seen.sites.values()] == [1, 1]
