"""The losses of torch.nn that compare element by element numbers that are not class scores.

Source: https://docs.pytorch.org/docs/stable/nn.html#loss-functions, held against torch by tests.
"""

from __future__ import annotations

from torchlosslint.contracts import base as b
from torchlosslint.contracts.base import LossContract, Parameter, RawForm, Switch

_OLD = ("size_average", "reduce", "reduction")
_MEAN = (("reduction", "mean"),)
_ELEMENTS = (Parameter("weight", "elements", module=False),)

L1 = LossContract(
    key="l1",
    title="L1Loss",
    module="torch.nn.L1Loss",
    function="torch.nn.functional.l1_loss",
    input=b.REAL,
    target=b.FLOAT_SAME,
    doc=b.doc_url("torch.nn.L1Loss"),
    module_params=_OLD,
    function_params=("input", "target", *_OLD, "weight"),
    aliases=b.module_aliases("L1Loss"),
    raw=(RawForm("torch._C._nn.l1_loss", ("input", "target", "reduction")),),
    raises_on_size=b.WARN,
    on_broadcast=b.WARN,
    integer_target=b.PROMOTE,
    symmetric=True,
    parameters=_ELEMENTS,
    defaults=(*_MEAN, ("weight", None)),
)

MSE = LossContract(
    key="mse",
    title="MSELoss",
    module="torch.nn.MSELoss",
    function="torch.nn.functional.mse_loss",
    input=b.REAL,
    target=b.FLOAT_SAME,
    doc=b.doc_url("torch.nn.MSELoss"),
    module_params=_OLD,
    function_params=("input", "target", *_OLD, "weight"),
    aliases=b.module_aliases("MSELoss"),
    raw=(RawForm("torch._C._nn.mse_loss", ("input", "target", "reduction")),),
    raises_on_size=b.WARN,
    on_broadcast=b.WARN,
    integer_target=b.PROMOTE,
    bool_target=b.PROMOTE,
    symmetric=True,
    parameters=_ELEMENTS,
    defaults=(*_MEAN, ("weight", None)),
)

SMOOTH_L1 = LossContract(
    key="smooth_l1",
    title="SmoothL1Loss",
    module="torch.nn.SmoothL1Loss",
    function="torch.nn.functional.smooth_l1_loss",
    input=b.REAL,
    target=b.FLOAT_SAME,
    doc=b.doc_url("torch.nn.SmoothL1Loss"),
    module_params=(*_OLD, "beta"),
    function_params=("input", "target", *_OLD, "beta"),
    aliases=b.module_aliases("SmoothL1Loss"),
    raw=(RawForm("torch._C._nn.smooth_l1_loss", ("input", "target", "reduction", "beta")),),
    raises_on_size=b.WARN,
    on_broadcast=b.WARN,
    integer_target=b.PROMOTE,
    bool_target=b.PROMOTE,
    symmetric=True,
    defaults=(*_MEAN, ("beta", 1.0)),
)

HUBER = LossContract(
    key="huber",
    title="HuberLoss",
    module="torch.nn.HuberLoss",
    function="torch.nn.functional.huber_loss",
    input=b.REAL,
    target=b.FLOAT_SAME,
    doc=b.doc_url("torch.nn.HuberLoss"),
    module_params=("reduction", "delta"),
    function_params=("input", "target", "reduction", "delta", "weight"),
    aliases=b.module_aliases("HuberLoss"),
    raw=(RawForm("torch._C._nn.huber_loss", ("input", "target", "reduction", "delta")),),
    raises_on_size=b.WARN,
    on_broadcast=b.WARN,
    integer_target=b.RAISE_BACKWARD,
    bool_target=b.RAISE_BACKWARD,
    double_target=b.RAISE_BACKWARD,
    symmetric=True,
    parameters=_ELEMENTS,
    deprecated=(),
    defaults=(*_MEAN, ("delta", 1.0), ("weight", None)),
)

POISSON_NLL = LossContract(
    key="poisson_nll",
    title="PoissonNLLLoss",
    module="torch.nn.PoissonNLLLoss",
    function="torch.nn.functional.poisson_nll_loss",
    input=b.RATE,
    target=b.FLOAT_SAME,  # counts
    doc=b.doc_url("torch.nn.PoissonNLLLoss"),
    module_params=("log_input", "full", "size_average", "eps", "reduce", "reduction"),
    function_params=("input", "target", "log_input", "full", "size_average", "eps", "reduce", "reduction"),
    forward_params=("log_input", "target"),
    input_arg="log_input",
    function_input_arg="input",
    inputs=("log_input",),
    aliases=b.module_aliases("PoissonNLLLoss"),
    raw=(RawForm("torch.poisson_nll_loss", ("input", "target", "log_input", "full", "eps", "reduction")),),
    raises_on_size=b.BROADCAST,
    on_broadcast=b.BROADCAST,
    integer_target=b.PROMOTE,
    bool_target=b.PROMOTE,
    switches=(
        Switch((("log_input", True),), b.REAL),
        Switch((("log_input", False),), b.NON_NEGATIVE),
    ),
    defaults=(("log_input", True), ("full", False), ("eps", 1e-8), *_MEAN),
)

GAUSSIAN_NLL = LossContract(
    key="gaussian_nll",
    title="GaussianNLLLoss",
    module="torch.nn.GaussianNLLLoss",
    function="torch.nn.functional.gaussian_nll_loss",
    input=b.REAL,
    target=b.FLOAT_SAME,
    doc=b.doc_url("torch.nn.GaussianNLLLoss"),
    module_params=("full", "eps", "reduction"),
    module_keyword_only=("full", "eps", "reduction"),
    function_params=("input", "target", "var", "full", "eps", "reduction"),
    forward_params=("input", "target", "var"),
    inputs=("input", "var"),
    aliases=b.module_aliases("GaussianNLLLoss"),
    raises_on_size=b.BROADCAST,
    on_broadcast=b.BROADCAST,
    integer_target=b.PROMOTE,
    symmetric=True,
    deprecated=(),
    defaults=(("full", False), ("eps", 1e-6), *_MEAN),
)

ALL = (L1, MSE, SMOOTH_L1, HUBER, POISSON_NLL, GAUSSIAN_NLL)
