"""The losses of torch.nn for label sequences and for vocabularies, those with a layer of their own included.

Source: https://docs.pytorch.org/docs/stable/nn.html#loss-functions, held against torch by tests.
"""

from __future__ import annotations

from torchlosslint.contracts import base as b
from torchlosslint.contracts.base import LossContract, Parameter, RawForm

_CTC = ("log_probs", "targets", "input_lengths", "target_lengths")
_CTC_TAIL = ("blank", "reduction", "zero_infinity")

CTC = LossContract(
    key="ctc",
    title="CTCLoss",
    module="torch.nn.CTCLoss",
    function="torch.nn.functional.ctc_loss",
    input=b.LOG_PROBS,  # (T, N, C)
    target=b.SEQUENCE,  # (N, S) or (sum of target_lengths,)
    doc=b.doc_url("torch.nn.CTCLoss"),
    module_params=_CTC_TAIL,
    function_params=(*_CTC, *_CTC_TAIL),
    forward_params=_CTC,
    input_arg="log_probs",
    target_arg="targets",
    inputs=("log_probs",),
    aliases=b.module_aliases("CTCLoss"),
    raw=(RawForm("torch.ctc_loss", (*_CTC, *_CTC_TAIL)),),
    class_dim=-1,
    integer_target="",
    bool_target="",
    double_target="",  # no dtype raises
    deprecated=(),
    defaults=(("blank", 0), ("reduction", "mean"), ("zero_infinity", False)),
)

ADAPTIVE_LOG_SOFTMAX = LossContract(
    key="adaptive_log_softmax",
    title="AdaptiveLogSoftmaxWithLoss",
    module="torch.nn.AdaptiveLogSoftmaxWithLoss",
    function="",
    input=b.REAL,  # hidden features (N, in_features)
    target=b.CLASS_INDEX,
    doc=b.doc_url("torch.nn.AdaptiveLogSoftmaxWithLoss"),
    module_params=("in_features", "n_classes", "cutoffs", "div_value", "head_bias", "device", "dtype"),
    forward_params=("input_", "target_"),
    input_arg="input_",
    target_arg="target_",
    inputs=("input_",),
    aliases=(
        "torch.nn.modules.AdaptiveLogSoftmaxWithLoss",
        "torch.nn.modules.adaptive.AdaptiveLogSoftmaxWithLoss",
    ),
    activation="softmax",
    integer_target="",
    bool_target=b.RAISE,
    double_target=b.RAISE,
    index_dtypes=("int64", "int32"),
    multi_class=True,
    owns_layer=True,
    loss_attr="loss",
    reductions=(),  # always the mean
    deprecated=(),
    defaults=(("div_value", 4.0), ("head_bias", False), ("device", None), ("dtype", None)),
)

_LINEAR_TAIL = ("weight", "reduction", "ignore_index", "label_smoothing", "options")

LINEAR_CROSS_ENTROPY = LossContract(
    key="linear_cross_entropy",
    title="LinearCrossEntropyLoss",
    module="torch.nn.LinearCrossEntropyLoss",
    function="torch.nn.functional.linear_cross_entropy",
    input=b.REAL,  # features (N, in_features), before the last layer
    target=b.CLASS_INDEX_OR_PROBS,
    doc=b.doc_url("torch.nn.LinearCrossEntropyLoss"),
    module_params=(
        *("in_features", "num_classes", "out_features", "bias", "device", "dtype"),
        *("reduction", "weight", "ignore_index", "label_smoothing", "options"),
    ),
    module_keyword_only=(
        *("out_features", "bias", "device", "dtype"),
        *("reduction", "weight", "ignore_index", "label_smoothing", "options"),
    ),
    function_params=("input", "linear_weight", "target", "linear_bias", *_LINEAR_TAIL),
    function_keyword_only=("linear_bias", *_LINEAR_TAIL),
    function_target_position=2,
    aliases=b.module_aliases("LinearCrossEntropyLoss"),
    activation="softmax",
    index_dtypes=("int64", "uint8"),
    multi_class=True,
    owns_layer=True,
    parameters=(Parameter("weight", "classes"),),
    deprecated=(),
    defaults=(
        *(("out_features", ()), ("bias", False), ("device", None), ("dtype", None), ("linear_bias", None)),
        *(("weight", None), ("reduction", "mean"), ("ignore_index", None), ("label_smoothing", 0.0)),
        ("options", None),
    ),
)

ALL = (CTC, ADAPTIVE_LOG_SOFTMAX, LINEAR_CROSS_ENTROPY)
