"""The losses of torch.nn between class scores and classes.

Source: https://docs.pytorch.org/docs/stable/nn.html#loss-functions, held against torch by tests.
"""

from __future__ import annotations

from torchlosslint.contracts import base as b
from torchlosslint.contracts.base import LossContract, Parameter, RawForm, Switch

_OLD = ("size_average", "reduce", "reduction")
_MEAN = (("reduction", "mean"),)
_BY_CLASS = (Parameter("weight", "classes"),)
_NLL = ("input", "target", "weight", "reduction", "ignore_index")
_INDEX = ("int64", "uint8")

CROSS_ENTROPY = LossContract(
    key="cross_entropy",
    title="CrossEntropyLoss",
    module="torch.nn.CrossEntropyLoss",
    function="torch.nn.functional.cross_entropy",
    input=b.LOGITS,
    target=b.CLASS_INDEX_OR_PROBS,
    doc=b.doc_url("torch.nn.CrossEntropyLoss"),
    module_params=("weight", "size_average", "ignore_index", "reduce", "reduction", "label_smoothing"),
    function_params=(
        *("input", "target", "weight", "size_average", "ignore_index", "reduce", "reduction"),
        "label_smoothing",
    ),
    aliases=b.module_aliases("CrossEntropyLoss"),
    raw=(RawForm("torch._C._nn.cross_entropy_loss", (*_NLL, "label_smoothing")),),
    activation="softmax",
    class_dim=1,
    index_dtypes=_INDEX,
    spatial_index_dtypes=("int64",),
    multi_class=True,
    parameters=_BY_CLASS,
    defaults=(("weight", None), ("ignore_index", -100), *_MEAN, ("label_smoothing", 0.0)),
)

NLL = LossContract(
    key="nll",
    title="NLLLoss",
    module="torch.nn.NLLLoss",
    function="torch.nn.functional.nll_loss",
    input=b.LOG_PROBS,
    target=b.CLASS_INDEX,
    doc=b.doc_url("torch.nn.NLLLoss"),
    module_params=("weight", "size_average", "ignore_index", "reduce", "reduction"),
    function_params=("input", "target", "weight", "size_average", "ignore_index", "reduce", "reduction"),
    aliases=b.module_aliases("NLLLoss"),
    deprecated_names=("torch.nn.NLLLoss2d", *b.module_aliases("NLLLoss2d")),
    raw=(
        RawForm("torch._C._nn.nll_loss", _NLL),
        RawForm("torch._C._nn.nll_loss2d", _NLL),
        RawForm("torch._C._nn.nll_loss_nd", _NLL),
    ),
    class_dim=1,
    integer_target="",
    bool_target=b.RAISE,
    double_target=b.RAISE,
    index_dtypes=_INDEX,
    spatial_index_dtypes=("int64",),
    multi_class=True,
    parameters=_BY_CLASS,
    defaults=(("weight", None), ("ignore_index", -100), *_MEAN),
)

MULTI_MARGIN = LossContract(
    key="multi_margin",
    title="MultiMarginLoss",
    module="torch.nn.MultiMarginLoss",
    function="torch.nn.functional.multi_margin_loss",
    input=b.REAL,
    target=b.CLASS_INDEX,
    doc=b.doc_url("torch.nn.MultiMarginLoss"),
    module_params=("p", "margin", "weight", *_OLD),
    function_params=("input", "target", "p", "margin", "weight", *_OLD),
    aliases=b.module_aliases("MultiMarginLoss"),
    raw=(
        RawForm("torch._C._nn.multi_margin_loss", ("input", "target", "p", "margin", "weight", "reduction")),
    ),
    class_dim=1,
    integer_target="",
    bool_target=b.RAISE,
    double_target=b.RAISE,
    index_dtypes=("int64",),
    multi_class=True,
    parameters=_BY_CLASS,
    defaults=(("p", 1), ("margin", 1.0), ("weight", None), *_MEAN),
)

BCE = LossContract(
    key="bce",
    title="BCELoss",
    module="torch.nn.BCELoss",
    function="torch.nn.functional.binary_cross_entropy",
    input=b.UNIT,
    target=b.FLOAT_UNIT,
    doc=b.doc_url("torch.nn.BCELoss"),
    module_params=("weight", *_OLD),
    function_params=("input", "target", "weight", *_OLD),
    aliases=b.module_aliases("BCELoss"),
    raw=(RawForm("torch._C._nn.binary_cross_entropy", ("input", "target", "weight", "reduction")),),
    double_target=b.RAISE,
    autocast_safe=False,
    parameters=(Parameter("weight", "broadcast"),),
    defaults=(("weight", None), *_MEAN),
)

BCE_WITH_LOGITS = LossContract(
    key="bce_with_logits",
    title="BCEWithLogitsLoss",
    module="torch.nn.BCEWithLogitsLoss",
    function="torch.nn.functional.binary_cross_entropy_with_logits",
    input=b.LOGITS,
    target=b.FLOAT_UNIT,
    doc=b.doc_url("torch.nn.BCEWithLogitsLoss"),
    module_params=("weight", *_OLD, "pos_weight"),
    function_params=("input", "target", "weight", *_OLD, "pos_weight"),
    aliases=b.module_aliases("BCEWithLogitsLoss"),
    raw=(
        RawForm(
            "torch.binary_cross_entropy_with_logits", ("input", "target", "weight", "pos_weight", "reduction")
        ),
    ),
    activation="sigmoid",
    parameters=(Parameter("weight", "broadcast"), Parameter("pos_weight", "broadcast")),
    defaults=(("weight", None), *_MEAN, ("pos_weight", None)),
)

MULTILABEL_SOFT_MARGIN = LossContract(
    key="multilabel_soft_margin",
    title="MultiLabelSoftMarginLoss",
    module="torch.nn.MultiLabelSoftMarginLoss",
    function="torch.nn.functional.multilabel_soft_margin_loss",
    input=b.LOGITS,
    target=b.FLOAT_UNIT,
    doc=b.doc_url("torch.nn.MultiLabelSoftMarginLoss"),
    module_params=("weight", *_OLD),
    function_params=("input", "target", "weight", *_OLD),
    aliases=b.module_aliases("MultiLabelSoftMarginLoss"),
    activation="sigmoid",
    class_dim=-1,  # averaged over, whatever the reduction
    raises_on_size=b.BROADCAST,
    on_broadcast=b.BROADCAST,
    integer_target=b.PROMOTE,
    parameters=(Parameter("weight", "broadcast"),),
    defaults=(("weight", None), *_MEAN),
)

MULTILABEL_MARGIN = LossContract(
    key="multilabel_margin",
    title="MultiLabelMarginLoss",
    module="torch.nn.MultiLabelMarginLoss",
    function="torch.nn.functional.multilabel_margin_loss",
    input=b.REAL,
    target=b.CLASS_LIST,
    doc=b.doc_url("torch.nn.MultiLabelMarginLoss"),
    module_params=_OLD,
    function_params=("input", "target", *_OLD),
    aliases=b.module_aliases("MultiLabelMarginLoss"),
    raw=(RawForm("torch._C._nn.multilabel_margin_loss", ("input", "target", "reduction")),),
    class_dim=1,
    integer_target="",
    bool_target=b.RAISE,
    double_target=b.RAISE,
    index_dtypes=("int64",),
    defaults=_MEAN,
)

SOFT_MARGIN = LossContract(
    key="soft_margin",
    title="SoftMarginLoss",
    module="torch.nn.SoftMarginLoss",
    function="torch.nn.functional.soft_margin_loss",
    input=b.REAL,
    target=b.SIGN,
    doc=b.doc_url("torch.nn.SoftMarginLoss"),
    module_params=_OLD,
    function_params=("input", "target", *_OLD),
    aliases=b.module_aliases("SoftMarginLoss"),
    raw=(RawForm("torch._C._nn.soft_margin_loss", ("input", "target", "reduction")),),
    activation="sigmoid",  # it is binary cross-entropy with labels -1 and 1
    on_broadcast=b.BROADCAST,
    integer_target=b.PROMOTE,
    bool_target=b.RAISE_BACKWARD,
    defaults=_MEAN,
)

KL_DIV = LossContract(
    key="kl_div",
    title="KLDivLoss",
    module="torch.nn.KLDivLoss",
    function="torch.nn.functional.kl_div",
    input=b.LOG_PROBS,
    target=b.PROBS,
    doc=b.doc_url("torch.nn.KLDivLoss"),
    module_params=(*_OLD, "log_target"),
    function_params=("input", "target", *_OLD, "log_target"),
    aliases=b.module_aliases("KLDivLoss"),
    raw=(RawForm("torch.kl_div", ("input", "target", "reduction", "log_target")),),
    raises_on_size=b.BROADCAST,
    on_broadcast=b.BROADCAST,
    target_switches=(Switch((("log_target", True),), b.LOG_PROBS),),
    reductions=("none", "mean", "sum", "batchmean"),
    defaults=(*_MEAN, ("log_target", False)),
)

ALL = (
    *(CROSS_ENTROPY, NLL, MULTI_MARGIN, BCE, BCE_WITH_LOGITS, MULTILABEL_SOFT_MARGIN, MULTILABEL_MARGIN),
    *(SOFT_MARGIN, KL_DIV),
)
