"""What users write: guard, guarded, install, on_misuse, the report, the command."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from torchlosslint.report.guarded import of_the_guard
from torchlosslint.rules import rules

torch = pytest.importorskip("torch")
runtime = pytest.importorskip("torchlosslint.runtime")

from torchlosslint.runtime import catalogue, findings, session  # noqa: E402

nn = torch.nn
F = nn.functional
imported_earlier = F.cross_entropy


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """Each test begins without sessions, and leaves torch as it was."""
    session.SESSIONS.clear()
    yield
    runtime.uninstall()
    session.SESSIONS.clear()
    assert findings.broken() == []


def double_softmax(loss: Any = None, batches: int = 1) -> Any:
    """Softmax before cross-entropy, for ten classes."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 10), nn.Softmax(dim=1))
    loss = loss or nn.CrossEntropyLoss()
    for _ in range(batches):
        value = loss(net(torch.randn(8, 4)), torch.randint(0, 10, (8,)))
        value.backward()
    return value


def test_guard_gives_the_same_object_back_and_warns_once_a_place() -> None:
    criterion = nn.CrossEntropyLoss()
    assert runtime.guard(criterion) is criterion
    with pytest.warns(runtime.LossMisuseWarning) as seen:
        double_softmax(criterion, batches=5)
    assert len(seen) == 1
    text = str(seen[0].message)
    assert "TLL101" in text
    assert "1.461" in text
    assert "SoftmaxBackward0" in text
    assert seen[0].filename == __file__
    runtime.unguard(criterion)


def test_other_instances_are_not_watched() -> None:
    told: list[Any] = []
    criterion = runtime.guard(nn.CrossEntropyLoss(), told.append)
    double_softmax(nn.CrossEntropyLoss(), batches=5)
    double_softmax(F.cross_entropy)
    assert (told, runtime.report().sites) == ([], [])
    double_softmax(criterion)
    assert [f.code for f in told] == ["TLL101"]
    runtime.unguard(criterion)
    double_softmax(criterion)
    assert [site.calls for site in runtime.report().sites] == [1]


def test_guarded_sees_functions_however_they_were_imported() -> None:
    x, y = torch.randn(8, 1), torch.zeros(8).long()
    with runtime.guarded("log") as seen:
        imported_earlier(x, y)
        F.cross_entropy(x, y)
        nn.CrossEntropyLoss()(x, y)
    assert [f.code for f in seen.findings] == ["TLL202"] * 3
    assert [f.loss for f in seen.findings] == ["F.cross_entropy", "F.cross_entropy", "CrossEntropyLoss"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        imported_earlier(x, y)


def test_raise_comes_before_the_loss_every_time() -> None:
    with runtime.guarded("raise"):
        for _ in range(2):
            with pytest.raises(runtime.LossMisuseError, match="TLL101") as caught:
                double_softmax()
    assert isinstance(caught.value, ValueError)
    assert getattr(caught.value, "finding").certainty == "proved"  # noqa: B009
    double_softmax()


def test_raise_warns_about_what_is_merely_fragile() -> None:
    with runtime.guarded("raise"), pytest.warns(runtime.LossMisuseWarning, match="TLL109"):
        F.binary_cross_entropy(torch.sigmoid(nn.Linear(3, 1)(torch.randn(5, 3))), torch.ones(5, 1))


def test_log_and_callable(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "torchlosslint.runtime"), runtime.guarded("log"):
        double_softmax()
    assert "TLL101" in caplog.text
    told: list[Any] = []
    with runtime.guarded(told.append):
        double_softmax(batches=3)
    assert [f.code for f in told] == ["TLL101"]


def test_torchs_own_exception_is_explained() -> None:
    with runtime.guarded("log") as seen, pytest.raises(IndexError):
        nn.CrossEntropyLoss()(torch.randn(4, 10, requires_grad=True), torch.full((4,), 10))
    (found,) = seen.findings
    assert (found.code, found.certainty) == ("TLL306", "proved")
    assert "Class index 10 for scores with 10 classes (0..9)" in found.message


def test_an_exception_late_in_a_training_is_explained_although_no_check_was_due() -> None:
    with runtime.guarded("log") as seen:
        for label in [1] * 70 + [10]:
            try:
                F.cross_entropy(torch.randn(4, 10), torch.full((4,), label))
            except IndexError:
                break
    assert [(f.code, f.call) for f in seen.findings] == [("TLL306", 71)]


def test_probabilities_by_their_numbers_take_several_batches() -> None:
    with runtime.guarded("log") as seen, torch.no_grad():
        for batch in range(6):
            F.cross_entropy(torch.softmax(torch.randn(8, 10), 1), torch.randint(0, 10, (8,)))
            if batch == 1:
                assert seen.findings == []
    (found,) = seen.findings
    assert (found.code, found.certainty) == ("TLL101", "likely")
    assert "1.461" in found.message


def test_the_same_batch_again_is_no_evidence() -> None:
    scores, y = torch.softmax(torch.randn(8, 10), 1), torch.randint(0, 10, (8,))
    with runtime.guarded("log") as seen:
        for _ in range(20):
            F.cross_entropy(scores, y)
    assert seen.findings == []


def test_own_criterion_is_watched_through_what_it_calls() -> None:
    class Own(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.part = nn.CrossEntropyLoss()

        def forward(self, x: Any, y: Any) -> Any:
            return self.part(x, y) + F.nll_loss(x, y)

    before = Own.__dict__["forward"]
    told: list[Any] = []
    own = runtime.guard(Own(), told.append)
    double_softmax(own)
    double_softmax(F.cross_entropy)  # outside of it: nobody looks
    assert sorted(f.code for f in told) == ["TLL101", "TLL110"]
    runtime.unguard(own)
    assert Own.__dict__["forward"] is before
    double_softmax(own)
    assert len(told) == 2


def test_install_and_uninstall_leave_torch_as_it_was() -> None:
    codes = [nn.CrossEntropyLoss.forward.__code__, F.cross_entropy.__code__, torch.Tensor.backward.__code__]
    for _ in range(2):
        watcher = runtime.install("log")
        runtime.install("log", ignore=("TLL101",))
        double_softmax()
        assert watcher.findings == []
        runtime.uninstall()
    runtime.uninstall()
    after = [nn.CrossEntropyLoss.forward.__code__, F.cross_entropy.__code__, torch.Tensor.backward.__code__]
    assert codes == after
    assert not hasattr(F.cross_entropy, "__wrapped__")
    assert double_softmax() is not None


def fails() -> None:
    double_softmax()
    raise KeyError


def test_the_inner_block_decides_and_unwinds_on_exceptions() -> None:
    with runtime.guarded("log") as outer:
        with pytest.raises(KeyError), runtime.guarded("log") as inner:
            fails()
        F.cross_entropy(torch.randn(8, 1), torch.zeros(8).long())
    assert [f.code for f in inner.findings] == ["TLL101"]
    assert [f.code for f in outer.findings] == ["TLL202"]


def test_environment_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHLOSSLINT_GUARD", "off")
    with runtime.guarded("raise"):
        double_softmax()
    monkeypatch.setenv("TORCHLOSSLINT_GUARD", "raise")
    with runtime.guarded("log"), pytest.raises(runtime.LossMisuseError):
        double_softmax()
    monkeypatch.setenv("TORCHLOSSLINT_GUARD", "loud")
    with pytest.raises(ValueError, match="TORCHLOSSLINT_GUARD"):
        runtime.install()


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="on_misuse"):
        runtime.guard(nn.MSELoss(), "shout")
    with pytest.raises(TypeError, match="criterion"):
        runtime.guard(F.cross_entropy)


def test_a_check_that_fails_is_switched_off_and_training_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from torchlosslint.runtime import inspecting

    def broken(call: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(inspecting, "METADATA", (("broken", broken), *inspecting.METADATA))
    with caplog.at_level(logging.WARNING), runtime.guarded(lambda f: None) as seen:
        double_softmax(batches=4)
    assert [f.code for f in seen.findings] == ["TLL101"]
    assert caplog.text.count("switched off") == 1
    findings.switch_on_again()


def test_threads() -> None:
    criterion = nn.CrossEntropyLoss()
    with runtime.guarded("log") as seen:
        threads = [threading.Thread(target=double_softmax, args=(criterion, 20)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [f.code for f in seen.findings] == ["TLL101"]
    assert sum(site.calls for site in seen.sites.values()) == 80


def test_report_counts_labels_and_weighs_imbalance(tmp_path: Path) -> None:
    labels = torch.tensor([0] * 30 + [1] * 3 + [-100])
    with runtime.guarded("log"):
        F.cross_entropy(torch.randn(34, 3), labels)
    found = runtime.report()
    (site,) = found.sites
    assert (site.calls, site.counts) == (1, [30, 3, 0])
    assert site.imbalance == 10
    assert site.weights == [0.55, 5.5, 0.0]
    assert "TLL401" in str(found)
    assert "0.55, 5.5" in str(found)
    table = json.loads(found.json())
    assert table["sites"][0]["counts"] == [30, 3, 0]
    assert table["findings"] == []
    drawn = found.picture(str(tmp_path / "labels.png"))
    assert drawn == (tmp_path / "labels.png").exists()


SCRIPT = """
import sys, torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 3), nn.Sigmoid())
for _ in range(int(sys.argv[2])):
    nn.CrossEntropyLoss()(net(torch.randn(8, 4)), torch.randint(0, 3, (8,))).backward()
print("trained", __name__)
"""


def test_the_command_runs_a_script_unchanged(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT, encoding="utf-8")
    command = [sys.executable, "-m", "torchlosslint.runtime", "--json", "report.json", "train.py"]
    done = subprocess.run(
        [*command, "--epochs", "3"], cwd=tmp_path, capture_output=True, text=True, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "trained __main__\n"
    assert "TLL103" in done.stderr
    assert "3 loss calls at 1 places, 1 findings" in done.stderr
    table = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert table["findings"][0]["line"] == 7


def test_codes_are_those_of_the_rules() -> None:
    known = {rule.code: (rule.name, rule.severity) for rule in [*rules(), *of_the_guard()]}
    assert {code: known[code] for code in catalogue.CODES} == catalogue.CODES
    own = [code for code in catalogue.CODES if code.startswith(catalogue.OWN_FAMILY)]
    assert own == [rule.code for rule in of_the_guard()]


def entered(step: Callable[[], Any]) -> int:
    """How many functions of Python and of C a step goes through."""
    count = 0

    def profiler(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profiler)
    try:
        step()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), F.cross_entropy, nn.MSELoss(), F.mse_loss])
def test_a_call_that_was_seen_before_goes_a_short_way(loss: Any) -> None:
    """A noise-free measure of what the guard costs: the functions that are entered because of it."""
    x = nn.Linear(4, 3)(torch.randn(8, 4))
    y = torch.randint(0, 3, (8,)) if "ross" in repr(loss) else torch.randn(8, 3)

    def step() -> Any:
        return loss(x, y)

    step()
    alone = entered(step)
    with runtime.guarded("raise") as seen:
        for _ in range(5):
            step()
        short = entered(step)
        for shape in ((4, 3), (2, 3)):  # another shape goes the long way twice, and is then as short
            x, y = nn.Linear(4, 3)(torch.randn(shape[0], 4)), y[: shape[0]]
            for _ in range(3):
                step()
            assert entered(step) == short
    assert short - alone <= 7
    assert sum(site.calls for site in seen.sites.values()) == 14


def scores_times(mask: Any) -> list[str]:
    """The codes that scores give which were multiplied by this mask."""
    with runtime.guarded("log") as seen:
        F.cross_entropy(nn.Linear(4, 10)(torch.randn(8, 4)) * mask, torch.randint(0, 10, (8,)))
    return [f.code for f in seen.findings]


def test_dropout_on_scores_is_known_by_its_zeros() -> None:
    torch.manual_seed(0)
    for p in (0.1, 0.5, 0.8):
        assert scores_times(F.dropout(torch.ones(8, 10), p)) == ["TLL106"]
    kept = torch.ones(8, 10)
    kept[0, 0] = 0
    own_classes = 2 * (torch.arange(10) % 2).expand(8, 10).float()
    for mask in (kept, kept * 2, own_classes, F.dropout(torch.ones(8, 10), 0.5) / 2, torch.rand(8, 10), 2.0):
        assert scores_times(mask) == []


def test_class_weights_that_are_the_counts_are_told_and_their_inverse_is_not() -> None:
    torch.manual_seed(0)
    labels = torch.tensor([0] * 900 + [1] * 90 + [2] * 10)
    counts = torch.bincount(labels).float()
    for weight, codes in ((counts, ["TLL403"]), (counts.sum() / counts, []), (torch.ones(3) * 500, [])):
        with runtime.guarded("log") as seen:
            for batch in labels[torch.randperm(1000)].split(100):
                F.cross_entropy(torch.randn(100, 3), batch, weight=weight)
        assert [f.code for f in seen.findings] == codes


@pytest.mark.parametrize("made", [nn.Softmax, nn.LogSoftmax, nn.Softmin])
def test_an_activation_whose_constructor_gets_scores(made: Any) -> None:
    with runtime.guarded("log") as seen:
        made(dim=1)
        made(1)
        made(torch.randn(3, 4))
    assert [f.code for f in seen.findings] == ["TLL501"]
    assert f"{made.__name__}(dim=1)(scores)" in seen.findings[0].help
    function = seen.findings[0].help.split("F.")[1].split("(")[0]
    scores = torch.randn(3, 4)
    assert torch.equal(getattr(F, function)(scores, dim=1), made(dim=1)(scores))
