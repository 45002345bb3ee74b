"""Well-known losses of other libraries: which input each wants under its own switches.

Read from the sources of torchvision 0.29.2, timm 1.0.31, kornia 0.9.0, transformers 5.23.0 and
torchmetrics 1.9.0; MONAI stands in monai.py, segmentation-models-pytorch and pytorch-toolbelt in
segmentation.py. Facts only.
"""

from __future__ import annotations

from torchlosslint.contracts import base as b, monai, segmentation
from torchlosslint.contracts.base import Switch
from torchlosslint.contracts.external import EXTERNAL, ExternalLoss, as_contract

_TIMM = "timm.loss"
_KORNIA = "kornia.losses"

_REDUCTION = ("reduction", "mean")
_PT = ("pred", "target")


def _boxes(name: str, module: str) -> ExternalLoss:
    """A loss between boxes (N, 4) in the same coordinates: any numbers."""
    return ExternalLoss(
        name=f"torchvision.ops.{name}",
        aliases=(f"torchvision.ops.{module}.{name}",),
        params=("boxes1", "boxes2", "reduction", "eps"),
        call_params=("boxes1", "boxes2"),
        is_function=True,
        input=b.REAL,
        target=b.FLOAT_SAME,
        defaults=(("reduction", "none"), ("eps", 1e-7)),
    )


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
    _boxes("generalized_box_iou_loss", "giou_loss"),
    _boxes("distance_box_iou_loss", "diou_loss"),
    _boxes("complete_box_iou_loss", "ciou_loss"),
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
    _timm(
        "PolyCrossEntropy",
        "poly_loss",
        b.CLASS_INDEX_OR_PROBS,
        (("epsilon", 2.0), ("smoothing", 0.0), _REDUCTION),
    ),
    _timm(
        "PolyBinaryCrossEntropy",
        "poly_loss",
        b.FLOAT_UNIT,
        (("epsilon", 2.0), ("gamma", 0.0), ("alpha", None), ("smoothing", 0.0), _REDUCTION),
    ),
    _timm("TwoWayLoss", "two_way_loss", b.FLOAT_UNIT, (("tp", 4.0), ("tn", 1.0))),
    _timm("ZlprLoss", "zlpr_loss", b.FLOAT_UNIT, ()),
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

_LOG_PROB = (Switch((("log_prob", True),), b.LOG_PROBS),)
_HINGE = (("squared", False), ("ignore_index", None), ("validate_args", True))


def _hinge(name: str, extra: tuple[str, ...] = ()) -> ExternalLoss:
    """What is outside [0, 1] is taken for logits: either will do."""
    return ExternalLoss(
        name=f"torchmetrics.functional.classification.{name}",
        aliases=(f"torchmetrics.functional.classification.hinge.{name}",),
        params=("preds", "target", *extra, *(key for key, _ in _HINGE)),
        call_params=("preds", "target"),
        is_function=True,
        input=b.ANY,
        target=b.CLASS_INDEX,
        defaults=_HINGE,
    )


TORCHMETRICS = (
    ExternalLoss(
        name="torchmetrics.functional.kl_divergence",
        aliases=(
            "torchmetrics.functional.regression.kl_divergence",
            "torchmetrics.functional.regression.kl_divergence.kl_divergence",
        ),
        params=("p", "q", "log_prob", "reduction"),
        call_params=("p", "q"),
        is_function=True,
        input=b.NON_NEGATIVE,  # divided by their sum over the last dimension
        target=b.PROBS,
        switches=_LOG_PROB,
        target_switches=_LOG_PROB,
        class_dim=1,
        defaults=(("log_prob", False), ("reduction", "mean")),
    ),
    _hinge("binary_hinge_loss"),
    _hinge("multiclass_hinge_loss", ("num_classes",)),
)

ALL: tuple[ExternalLoss, ...] = (
    *(*TORCHVISION, *TIMM, *KORNIA, *TRANSFORMERS, *TORCHMETRICS),
    *(*monai.ALL, *segmentation.SMP, *segmentation.TOOLBELT),
)

# Classes of other libraries that are torch's own losses under another name.
TORCH_SUBCLASSES = segmentation.TORCH_SUBCLASSES

# Classes that hand their input to the loss that they are made with: the parameter that is this loss.
WRAPPERS: dict[str, str] = {
    "monai.losses.DeepSupervisionLoss": "loss",
    "monai.losses.ds_loss.DeepSupervisionLoss": "loss",
}

# Constants of the libraries that stand for the value of a parameter.
CONSTANTS: dict[str, dict[str, str]] = {
    library: {"BINARY_MODE": "binary", "MULTICLASS_MODE": "multiclass", "MULTILABEL_MODE": "multilabel"}
    for library in ("segmentation_models_pytorch", "pytorch_toolbelt")
}

_NAMES: dict[str, ExternalLoss] = {name: loss for loss in ALL for name in (loss.name, *loss.aliases)}


def by_name(qual: str) -> ExternalLoss | None:
    """The loss class or function of another library by any of its qualified names."""
    return _NAMES.get(qual)


__all__ = ["ALL", "CONSTANTS", "EXTERNAL", "TORCH_SUBCLASSES", "WRAPPERS", "as_contract", "by_name"]
