# mypy: disable-error-code="no-untyped-call, arg-type"
"""What must not notice the guard: everything that torch does with losses, models and functions."""

from __future__ import annotations

import copy
import io
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
import torch
from torch import nn
from torch.nn import functional as F

from torchlosslint.runtime import findings, guard, guarded, unguard

X, Y = torch.randn(8, 4), torch.randint(0, 3, (8,))


class ByModule(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.criterion = nn.CrossEntropyLoss(weight=torch.ones(3))

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.criterion(self.layer(x), y)
        return result


class ByFunction(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(self.layer(x), y)


@pytest.fixture(autouse=True)
def watched() -> Iterator[None]:
    """Every test runs under the guard, which finds nothing and fails nowhere."""
    torch.manual_seed(0)
    with guarded(lambda finding: None) as seen:
        yield
    assert seen.findings == []
    assert findings.broken() == []


@contextmanager
def nobody_watching() -> Iterator[None]:
    from torchlosslint.runtime.session import WATCHED

    inner = WATCHED.stack.pop()
    WATCHED.renew()
    yield
    WATCHED.stack.append(inner)
    WATCHED.renew()


both = pytest.mark.parametrize("model", [ByModule, ByFunction])


def known(model: Any) -> Any:
    """A model whose loss the guard has seen often enough that its calls go the short way."""
    net = model()
    for _ in range(6):
        net(X, Y)
    return net


@both
def test_script(model: Any) -> None:
    net = known(model)
    assert torch.equal(torch.jit.script(net)(X, Y), net(X, Y))


@both
@pytest.mark.filterwarnings("error::torch.jit.TracerWarning")
def test_trace_records_nothing_of_the_guard(model: Any) -> None:
    net = known(model)
    traced = torch.jit.trace(net, (X, Y))
    names = {node.kind() for node in traced.inlined_graph.nodes()}
    assert names <= {"aten::linear", "aten::cross_entropy_loss", "prim::Constant", "prim::GetAttr"}


@both
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compile_without_graph_breaks(model: Any, backend: str) -> None:
    net = known(model)
    torch._dynamo.reset()
    compiled = torch.compile(net, fullgraph=True, backend=backend)
    loss = compiled(X, Y)
    loss.backward()
    assert torch.allclose(loss, net(X, Y))


def test_functorch() -> None:
    scores, labels = torch.randn(5, 3), torch.randint(0, 3, (5,))
    each = torch.func.vmap(lambda s, y: F.cross_entropy(s, y))(scores, labels)
    assert torch.allclose(each, F.cross_entropy(scores, labels, reduction="none"))
    net = known(ByFunction)
    slopes = torch.func.grad(lambda p: torch.func.functional_call(net, p, (X, Y)))(
        dict(net.named_parameters())
    )
    net(X, Y).backward()
    assert torch.allclose(slopes["layer.bias"], net.layer.bias.grad)
    assert torch.func.hessian(lambda a: F.mse_loss(a, torch.zeros(3)))(torch.ones(3)).shape == (3, 3)


def test_graphs_of_fx_and_export_name_torchs_functions() -> None:
    graph = torch.fx.symbolic_trace(known(ByFunction)).graph
    assert F.cross_entropy in {node.target for node in graph.nodes}
    assert "cross_entropy" in str(torch.export.export(known(ByModule), (X, Y)).graph)


def test_fake_and_meta_tensors() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        assert F.cross_entropy(torch.randn(5, 3, requires_grad=True), torch.randint(0, 3, (5,))).shape == ()
    scores = torch.randn(5, 3, device="meta", requires_grad=True)
    assert F.cross_entropy(scores, torch.zeros(5, dtype=torch.long, device="meta")).is_meta


def test_subclasses_and_their_tables_of_functions() -> None:
    class Named(torch.Tensor):
        pass

    class Duck:
        @classmethod
        def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return {F.cross_entropy: "mine"}[function]

    assert type(F.cross_entropy(torch.randn(5, 3).as_subclass(Named), torch.randint(0, 3, (5,)))) is Named
    assert F.cross_entropy(Duck(), torch.zeros(3)) == "mine"


def test_modes_see_no_operation_of_the_guard() -> None:
    from torch.utils._python_dispatch import TorchDispatchMode

    class Recorded(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[str] = []

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.seen.append(str(func))
            return func(*args, **(kwargs or {}))

    net = known(ByModule)
    with Recorded() as guarded_mode:
        net(X, Y)
    with nobody_watching(), Recorded() as mode:
        net(X, Y)
    assert guarded_mode.seen == mode.seen


@pytest.mark.parametrize("reentrant", [True, False])
def test_activation_checkpointing(reentrant: bool) -> None:
    from torch.utils.checkpoint import checkpoint

    net = ByModule()
    checkpoint(net, X.clone().requires_grad_(), Y, use_reentrant=reentrant).backward()
    assert net.layer.bias.grad is not None


def test_autocast_and_scaler() -> None:
    net = ByModule()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = net(X, Y)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    assert loss.dtype == torch.float32


def test_data_parallel_and_inference_mode() -> None:
    net = nn.DataParallel(ByModule())
    net(X, Y).backward()
    with torch.inference_mode():
        assert net(X, Y).is_inference()


def test_random_numbers_and_results_are_those_of_an_unguarded_run() -> None:
    def train() -> tuple[float, float]:
        torch.manual_seed(3)
        net = nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 3))
        for _ in range(5):
            loss = F.cross_entropy(net(torch.randn(8, 4)), torch.randint(0, 3, (8,)))
            loss.backward()
        return loss.item(), torch.rand(()).item()

    with_guard = train()
    with nobody_watching():
        assert train() == with_guard


def test_a_guarded_criterion_is_what_it_was(tmp_path: Path) -> None:
    plain, criterion = nn.CrossEntropyLoss(weight=torch.ones(3)), nn.CrossEntropyLoss(weight=torch.ones(3))
    before = dict(vars(criterion))
    assert guard(guard(criterion)) is criterion
    assert isinstance(criterion, nn.CrossEntropyLoss)
    assert repr(criterion) == repr(plain)
    assert vars(criterion) == before
    assert list(criterion.state_dict()) == list(plain.state_dict())
    assert pickle.dumps(criterion)[:200] == pickle.dumps(plain)[:200]
    assert isinstance(copy.deepcopy(criterion), nn.CrossEntropyLoss)
    assert criterion.to(torch.float64) is criterion
    assert criterion.eval() is criterion
    stream = io.BytesIO()
    torch.save(criterion, stream)
    (tmp_path / "criterion.pt").write_bytes(stream.getvalue())
    code = (
        "import sys; sys.modules['torchlosslint'] = None; import torch; "
        "c = torch.load('criterion.pt', weights_only=False); "
        "print(c(torch.zeros(2, 3).double(), torch.zeros(2).long()).item())"
    )
    loaded = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert loaded.stdout.startswith("1.0986"), loaded.stderr
    unguard(criterion)
    unguard(criterion)


def test_functions_keep_identity_signature_and_pickle() -> None:
    import inspect

    assert pickle.loads(pickle.dumps(F.cross_entropy)) is F.cross_entropy
    assert list(inspect.signature(F.cross_entropy).parameters)[:3] == ["input", "target", "weight"]
    assert "def cross_entropy" in inspect.getsource(F.cross_entropy)


# Losses with the settings that their functions take; calls of them are known to the guard by the fifth.
MADE: list[Any] = [
    nn.CrossEntropyLoss(weight=torch.tensor([0.2, 1.0, 3.0]), ignore_index=2, label_smoothing=0.1),
    nn.NLLLoss(weight=torch.tensor([0.2, 1.0, 3.0]), ignore_index=1, reduction="sum"),
    nn.MultiMarginLoss(p=2, margin=0.4, weight=torch.tensor([0.2, 1.0, 3.0])),
    nn.BCELoss(weight=torch.tensor([0.2, 1.0, 3.0])),
    nn.BCEWithLogitsLoss(weight=torch.tensor([0.2, 1.0, 3.0]), pos_weight=torch.tensor([2.0, 0.5, 1.0])),
    nn.MultiLabelSoftMarginLoss(weight=torch.tensor([0.2, 1.0, 3.0])),
    nn.SoftMarginLoss(reduction="none"),
    nn.KLDivLoss(reduction="batchmean", log_target=True),
    nn.L1Loss(reduction="sum"),
    nn.MSELoss(),
    nn.SmoothL1Loss(beta=0.3),
    nn.HuberLoss(delta=0.3),
    nn.PoissonNLLLoss(log_input=False, full=True, eps=1e-3),
    nn.HingeEmbeddingLoss(margin=0.7),
]


@pytest.mark.parametrize("criterion", MADE, ids=lambda criterion: type(criterion).__name__)
def test_results_are_those_of_the_unguarded_loss(criterion: Any) -> None:
    """Also after a setting was changed, and for a subclass that computes one."""
    name = type(criterion).__name__
    x, y = torch.randn(6, 3), torch.rand(6, 3)
    if name in ("NLLLoss", "KLDivLoss"):
        x, y = x.log_softmax(1), y.log_softmax(1)
    if name in ("BCELoss", "PoissonNLLLoss"):
        x = x.sigmoid()
    if name in ("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss"):
        y = torch.tensor([0, 1, 2, 0, 2, 1])
    if name in ("SoftMarginLoss", "HingeEmbeddingLoss"):
        y = y.round() * 2 - 1

    class Summing(type(criterion)):  # type: ignore[misc]
        reduction = property(lambda self: "sum", lambda self, value: None)

    other = Summing()
    other.__dict__.update(vars(criterion))
    for made in (criterion, other):
        with nobody_watching():
            expected = made(x, y)
        assert all(torch.equal(made(x, y), expected) for _ in range(6))
        made.reduction = "sum"
        assert made(x, y).dim() == 0
        with nobody_watching():
            expected = made(x, y)
        assert torch.equal(made(x, y), expected)


def test_a_replaced_function_is_used_by_the_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels that put their own cross_entropy into torch.nn.functional."""
    monkeypatch.setattr(F, "cross_entropy", lambda *args, **kwargs: torch.tensor(7.0, requires_grad=True))
    assert nn.CrossEntropyLoss()(torch.randn(2, 3), torch.zeros(2).long()).item() == 7
