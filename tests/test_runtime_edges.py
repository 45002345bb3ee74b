# mypy: disable-error-code="no-untyped-call"
"""Calls at the edge of what the checks of the guard expect: none switches a check off, and none is missed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("torch")
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from torchlosslint.runtime import findings, guard, guarded, install, report, session, unguard, uninstall

LABELS = torch.tensor([0, 2, 1, 0])
Run = Callable[[], Any]


@pytest.fixture(autouse=True)
def sound() -> Iterator[None]:
    torch.manual_seed(0)
    session.SESSIONS.clear()
    yield
    uninstall()
    session.SESSIONS.clear()
    assert findings.broken() == []


def found(run: Run) -> list[tuple[str, str]]:
    with guarded(lambda finding: None) as seen:
        run()
    return [(f.code, f.certainty) for f in seen.findings]


def scores(rows: int = 4) -> torch.Tensor:
    return nn.Linear(4, 3)(torch.randn(rows, 4))  # type: ignore[no-any-return]


def one_number() -> None:
    F.binary_cross_entropy_with_logits(scores(1)[0, 0] * torch.tensor(2.0), torch.tensor(1.0))


def no_rows() -> None:
    F.cross_entropy(scores(0) * torch.ones(0, 3), LABELS[:0])


def inference_first() -> None:
    def both(rows: int) -> torch.Tensor:
        return F.cross_entropy(scores(rows), LABELS[:rows])

    with torch.inference_mode():
        both(4)
    both(3).backward()
    assert report().sites[0].counts == [3, 2, 2]


def freed_graph() -> None:
    for made in (scores() * torch.ones(4, 3), scores()[torch.arange(4)], scores()[:, [0, 1, 2]]):
        F.cross_entropy(made, LABELS).backward()
        F.cross_entropy(made, LABELS)


def checkpointed() -> None:
    ran = []
    layer = nn.Linear(4, 3)

    def part(x: torch.Tensor) -> torch.Tensor:
        ran.append(1)
        return layer(x) * torch.ones(4, 3)  # type: ignore[no-any-return]

    for _ in range(5):
        F.cross_entropy(checkpoint(part, torch.randn(4, 4), use_reentrant=False), LABELS)
    assert len(ran) == 5, "the guard made a checkpoint compute again"


def infinite_target_left_out() -> None:
    with torch.no_grad():
        losses = F.mse_loss(
            torch.randn(4), torch.tensor([1.0, float("inf"), float("nan"), 2.0]), reduction="none"
        )
    assert losses[[0, 3]].isfinite().all()


RIGHT = [one_number, no_rows, inference_first, freed_graph, checkpointed, infinite_target_left_out]


@pytest.mark.parametrize("run", RIGHT, ids=lambda run: run.__name__)
def test_right_calls_at_the_edge_are_silent(run: Run) -> None:
    assert found(run) == []


@pytest.mark.parametrize("number", [float("inf"), -float("inf"), float("nan")])
def test_a_target_that_is_not_finite_is_told(number: float) -> None:
    assert found(lambda: F.mse_loss(scores()[:, 0], torch.full((4,), number))) == [("TLL701", "proved")]


def test_the_trail_ends_at_opaque_nodes() -> None:
    """What a checkpoint or a compiled graph did is unknown to the graph, and no proof."""

    def part(x: torch.Tensor) -> torch.Tensor:
        return x.softmax(1)

    assert found(lambda: F.cross_entropy(checkpoint(part, scores(), use_reentrant=True), LABELS)) == []
    assert found(lambda: F.cross_entropy(2 * scores().softmax(1), LABELS)) == []
    compiled = torch.compile(part, backend="aot_eager")
    assert found(lambda: F.cross_entropy(compiled(scores()), LABELS)) == []
    inside = found(lambda: F.cross_entropy(checkpoint(part, scores(), use_reentrant=False), LABELS))
    assert inside == [("TLL101", "proved")]


def wrong() -> None:
    F.cross_entropy(scores()[:, :1], LABELS * 0)


def test_one_code_to_ignore_is_not_its_letters() -> None:
    with guarded("log", ignore="TLL109") as seen:
        wrong()
    assert [f.code for f in seen.findings] == ["TLL202"]
    with guarded("log", ignore=(code for code in ["TLL202"])) as seen:
        wrong()
    assert seen.findings == []


def test_codes_to_ignore_may_come_from_a_generator() -> None:
    told: list[Any] = []
    criterion = guard(nn.CrossEntropyLoss(), told.append, ignore=(code for code in ["TLL202"]))
    criterion(scores()[:, :1], LABELS * 0)
    unguard(criterion)
    assert told == []


def test_off_leaves_torch_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = [nn.CrossEntropyLoss.forward.__code__, F.cross_entropy.__code__]
    monkeypatch.setenv("TORCHLOSSLINT_GUARD", "off")
    criterion = guard(nn.CrossEntropyLoss())
    install()
    with guarded():
        assert [nn.CrossEntropyLoss.forward.__code__, F.cross_entropy.__code__] == codes
    monkeypatch.delenv("TORCHLOSSLINT_GUARD")
    watcher = install("log")
    wrong()
    monkeypatch.setenv("TORCHLOSSLINT_GUARD", "off")
    install()
    assert [nn.CrossEntropyLoss.forward.__code__, F.cross_entropy.__code__] == codes
    assert [f.code for f in watcher.findings] == ["TLL202"]
    assert unguard(criterion) is criterion


def test_the_report_keeps_the_guard_of_the_process_beside_many_blocks() -> None:
    install("log")
    wrong()
    for _ in range(2 * session.KEPT):
        with guarded("log"):
            pass
    assert [site.calls for site in report().sites] == [1]
    assert len(session.SESSIONS) == session.KEPT


def test_guards_with_the_same_settings_share_a_session_under_the_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TORCHLOSSLINT_GUARD", "warn")
    before = len(session.SESSIONS)
    criteria = [guard(nn.CrossEntropyLoss(), "raise", every=7) for _ in range(3)]
    assert len(session.SESSIONS) == before + 1
    for criterion in criteria:
        unguard(criterion)


def test_a_call_check_that_fails_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    from torchlosslint.runtime import inspecting

    failed = []

    def fails(*args: Any) -> Any:
        failed.append(1)
        raise ZeroDivisionError

    monkeypatch.setattr(inspecting, "before", fails)
    with guarded("log"):
        for _ in range(9):
            F.cross_entropy(scores(), LABELS)
    assert len(failed) == 1
    findings.switch_on_again()


def test_subclasses_of_tensors_are_counted_once() -> None:
    class Named(torch.Tensor):
        pass

    with guarded("log") as seen:
        F.cross_entropy(scores().as_subclass(Named), LABELS)
    assert [site.calls for site in seen.sites.values()] == [1]
