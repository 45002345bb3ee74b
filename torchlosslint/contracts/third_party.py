"""Well-known losses of other libraries: which input each wants under its own switches.

Read from the sources of torchvision 0.29.2, timm 1.0.31, kornia 0.9.0 and transformers 5.23.0; MONAI
stands in monai.py, segmentation-models-pytorch and pytorch-toolbelt in segmentation.py. Facts only.
"""

from __future__ import annotations

from torchlosslint.contracts import base as b
from torchlosslint.contracts import monai, segmentation
from torchlosslint.contracts.external import ExternalLoss

_TIMM = "timm.loss"
_KORNIA = "kornia.losses"

_REDUCTION = ("reduction", "mean")
_PT = ("pred", "target")

TORCHVISION = (
    ExternalLoss(
        name="torchvision.ops.sigmoid_focal_loss",
        aliases=("torchvision.ops.focal_loss.sigmoid_focal_loss",),
        params=("inputs", "targets", "alpha", "gamma", "reduction"),
        call_params=("inputs", "targets"),
        is_function=True,
        input=b.LOGITS,
        target=b.FLOAT_UNIT,
        defaults=(("alpha", 0.25), ("gamma", 2), ("reduction", "none")),
    ),
)


def _timm(
    name: str,
    module: str,
    target: str,
    defaults: tuple[tuple[str, object], ...],
    first: str = "x",
    second: str = "target",
) -> ExternalLoss:
    return ExternalLoss(
        name=f"{_TIMM}.{name}",
        aliases=(f"{_TIMM}.{module}.{name}",),
        params=tuple(key for key, _ in defaults),
        call_params=(first, second),
        input=b.LOGITS,
        target=target,
        class_dim=None if target == b.FLOAT_UNIT else 1,
        defaults=defaults,
    )


_SMOOTHING = ("smoothing", 0.1)

TIMM = (
    _timm("LabelSmoothingCrossEntropy", "cross_entropy", b.CLASS_INDEX, (_SMOOTHING,)),
    _timm("SoftTargetCrossEntropy", "cross_entropy", b.PROBS, ()),
    _timm(
        "BinaryCrossEntropy",
        "binary_cross_entropy",
        b.CLASS_INDEX_OR_PROBS,  # indices are turned into one-hot rows
        (
            *(_SMOOTHING, ("target_threshold", None), ("weight", None), _REDUCTION, ("sum_classes", False)),
            *(("pos_weight", None), ("smooth_dense", False)),
        ),
    ),
    _timm(
        "AsymmetricLossMultiLabel",
        "asymmetric_loss",
        b.FLOAT_UNIT,
        (
            *(("gamma_neg", 4), ("gamma_pos", 1), ("clip", 0.05), ("eps", 1e-8)),
            *(("disable_torch_grad_focal_loss", False), ("smoothing", 0.0), ("reduction", "batchmean")),
            *(("weight", None), ("pos_weight", None)),
        ),
        second="y",
    ),
    _timm(
        "AsymmetricLossSingleLabel",
        "asymmetric_loss",
        b.CLASS_INDEX,
        (("gamma_pos", 1), ("gamma_neg", 4), ("eps", 0.1), _REDUCTION),
        first="inputs",
    ),
    _timm(
        "JsdCrossEntropy",
        "jsd",
        b.CLASS_INDEX,
        (("num_splits", 3), ("alpha", 12), _SMOOTHING),
        first="output",
    ),
)


def _kornia(
    name: str,
    module: str,
    params: tuple[str, ...],
    defaults: tuple[tuple[str, object], ...],
    target: str = b.CLASS_INDEX,
    function: str = "",
    function_defaults: tuple[tuple[str, object], ...] = (),
    input: str = b.LOGITS,
) -> tuple[ExternalLoss, ...]:
    """The class (where it has a name) and the function of one loss."""
    found = []
    dim = None if target == b.FLOAT_UNIT else 1
    for label, is_function in ((name, False), (function, True)):
        if label:
            found.append(
                ExternalLoss(
                    name=f"{_KORNIA}.{label}",
                    aliases=(f"{_KORNIA}.{module}.{label}",),
                    params=(*_PT, *params) if is_function else params,
                    call_params=_PT,
                    is_function=is_function,
                    input=input,
                    target=target,
                    class_dim=dim,
                    defaults=(function_defaults or defaults) if is_function else defaults,
                )
            )
    return tuple(found)


_K_END = (("weight", None), ("ignore_index", -100))
_K_FOCAL = (("gamma", 2.0), ("reduction", "none"), *_K_END)
_K_BINARY = (("gamma", 2.0), ("reduction", "none"), ("pos_weight", None), *_K_END)
_K_TVERSKY = (("eps", 1e-8), ("ignore_index", -100))
_K_DICE = (("average", "micro"), ("eps", 1e-8), *_K_END)

KORNIA = (
    *_kornia(
        *("FocalLoss", "focal", ("alpha", "gamma", "reduction", "weight", "ignore_index"), _K_FOCAL),
        function="focal_loss",
    ),
    *_kornia(
        "BinaryFocalLossWithLogits",
        "focal",
        ("alpha", "gamma", "reduction", "pos_weight", "weight", "ignore_index"),
        _K_BINARY,
        target=b.FLOAT_UNIT,
        function="binary_focal_loss_with_logits",
        function_defaults=(("alpha", 0.25), *_K_BINARY),
    ),
    *_kornia("DiceLoss", "dice", ("average", "eps", "weight", "ignore_index"), _K_DICE, function="dice_loss"),
    *_kornia(
        "TverskyLoss",
        "tversky",
        ("alpha", "beta", "eps", "ignore_index"),
        _K_TVERSKY,
        function="tversky_loss",
    ),
    *_kornia(
        "LovaszSoftmaxLoss",
        "lovasz_softmax",
        ("weight",),
        (("weight", None),),
        function="lovasz_softmax_loss",
    ),
    *_kornia("LovaszHingeLoss", "lovasz_hinge", (), (), target=b.CLASS_INDEX, function="lovasz_hinge_loss"),
    *_kornia(
        *("", "divergence", ("reduction",), (_REDUCTION,), b.PROBS),
        function="kl_div_loss_2d",
        input=b.PROBS,  # distributions over the last two dimensions, not over classes
    ),
    *_kornia(
        *("", "divergence", ("reduction",), (_REDUCTION,), b.PROBS), function="js_div_loss_2d", input=b.PROBS
    ),
)

TRANSFORMERS = (
    ExternalLoss(
        name="transformers.trainer_pt_utils.LabelSmoother",
        params=("epsilon", "ignore_index"),
        call_params=("model_output", "labels", "shift_labels", "num_items_in_batch"),
        input=b.LOGITS,
        target=b.CLASS_INDEX,
        class_dim=-1,
        input_field="logits",
        defaults=(("epsilon", 0.1), ("ignore_index", -100)),
    ),
)

ALL: tuple[ExternalLoss, ...] = (
    *(*TORCHVISION, *TIMM, *KORNIA, *TRANSFORMERS),
    *(*monai.ALL, *segmentation.SMP, *segmentation.TOOLBELT),
)

# Classes of other libraries that are torch's own losses under another name.
TORCH_SUBCLASSES = segmentation.TORCH_SUBCLASSES

_NAMES: dict[str, ExternalLoss] = {name: loss for loss in ALL for name in (loss.name, *loss.aliases)}


def by_name(qual: str) -> ExternalLoss | None:
    """The loss class or function of another library by any of its qualified names."""
    return _NAMES.get(qual)
