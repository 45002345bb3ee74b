"""The losses of segmentation-models-pytorch and pytorch-toolbelt, which share their switches.

Read from the sources of segmentation-models-pytorch 0.6.0 and pytorch-toolbelt 0.8.0. Facts only.
"""

from __future__ import annotations

from torchlosslint.contracts import base as b
from torchlosslint.contracts.base import Switch
from torchlosslint.contracts.external import ExternalLoss

_SMP = "segmentation_models_pytorch.losses"
_SMP_OLD = "segmentation_models_pytorch.utils.losses"
_PTT = "pytorch_toolbelt.losses"

_REDUCTION = ("reduction", "mean")
_YP = ("y_pred", "y_true")

# from_logits=False: what the activation of the mode would have given.
_FROM_LOGITS = (
    Switch((("from_logits", False), ("mode", "multiclass")), b.PROBS),
    Switch((("from_logits", False), ("mode", "binary")), b.UNIT),
    Switch((("from_logits", False), ("mode", "multilabel")), b.UNIT),
    Switch((("from_logits", False),), b.UNIT_OR_PROBS),
)
# The target follows the mode: class indices (N, *) or floats of the input's shape.
_BY_MODE = (Switch((("mode", "multiclass"),), b.CLASS_INDEX),)
# activation=: applied by the loss; None or "identity" leaves the input as it is.
_ACTIVATION = (
    Switch((("activation", "sigmoid"),), b.LOGITS),
    Switch((("activation", "softmax"),), b.LOGITS),
    Switch((("activation", "softmax2d"),), b.LOGITS),
    Switch((("activation", "identity"),), b.UNIT_OR_PROBS),
    Switch((("activation", b.GIVEN),), b.ANY),
)


def _smp_dice(name: str, module: str, extra: tuple[tuple[str, object], ...] = ()) -> ExternalLoss:
    head = (("classes", None), ("log_loss", False), ("from_logits", True), ("smooth", 0.0))
    defaults = (*head, ("ignore_index", None), ("eps", 1e-7), *extra, ("class_weights", None))
    return ExternalLoss(
        name=f"{_SMP}.{name}",
        aliases=(f"{_SMP}.{module}.{name}",),
        params=("mode", *(key for key, _ in defaults)),
        call_params=_YP,
        input=b.LOGITS,
        target=b.FLOAT_UNIT,
        switches=_FROM_LOGITS,
        target_switches=_BY_MODE,
        class_dim=1,
        defaults=defaults,
    )


def _smp_old(name: str, beta: tuple[tuple[str, object], ...] = ()) -> ExternalLoss:
    defaults = (("eps", 1.0), *beta, ("activation", None), ("ignore_channels", None))
    return ExternalLoss(
        name=f"{_SMP_OLD}.{name}",
        params=tuple(key for key, _ in defaults),
        call_params=("y_pr", "y_gt"),
        input=b.UNIT_OR_PROBS,
        target=b.FLOAT_UNIT,
        switches=_ACTIVATION,
        class_dim=1,
        defaults=defaults,
    )


SMP = (
    _smp_dice("DiceLoss", "dice"),
    _smp_dice("JaccardLoss", "jaccard"),
    _smp_dice("TverskyLoss", "tversky", (("alpha", 0.5), ("beta", 0.5), ("gamma", 1.0))),
    ExternalLoss(
        name=f"{_SMP}.FocalLoss",
        aliases=(f"{_SMP}.focal.FocalLoss",),
        params=(
            *("mode", "alpha", "gamma", "ignore_index", "from_logits", "eps", "reduction", "normalized"),
            *("reduced_threshold", "class_weights"),
        ),
        call_params=_YP,
        input=b.LOGITS,
        target=b.FLOAT_UNIT,
        switches=_FROM_LOGITS,
        target_switches=_BY_MODE,
        class_dim=1,
        defaults=(
            *(("alpha", None), ("gamma", 2.0), ("ignore_index", None), ("from_logits", True), ("eps", 1e-7)),
            *(_REDUCTION, ("normalized", False), ("reduced_threshold", None), ("class_weights", None)),
        ),
    ),
    ExternalLoss(  # from_logits is taken and not looked at: logits in every mode
        name=f"{_SMP}.LovaszLoss",
        aliases=(f"{_SMP}.lovasz.LovaszLoss",),
        params=("mode", "per_image", "ignore_index", "from_logits"),
        call_params=_YP,
        input=b.LOGITS,
        target=b.FLOAT_UNIT,
        target_switches=_BY_MODE,
        class_dim=1,
        defaults=(("per_image", False), ("ignore_index", None), ("from_logits", True)),
    ),
    ExternalLoss(
        name=f"{_SMP}.SoftBCEWithLogitsLoss",
        aliases=(f"{_SMP}.soft_bce.SoftBCEWithLogitsLoss",),
        params=("weight", "ignore_index", "reduction", "smooth_factor", "pos_weight"),
        call_params=_YP,
        input=b.LOGITS,
        target=b.FLOAT_UNIT,
        defaults=(
            ("weight", None),
            ("ignore_index", -100),
            _REDUCTION,
            ("smooth_factor", None),
            ("pos_weight", None),
        ),
    ),
    ExternalLoss(
        name=f"{_SMP}.SoftCrossEntropyLoss",
        aliases=(f"{_SMP}.soft_ce.SoftCrossEntropyLoss",),
        params=("reduction", "smooth_factor", "ignore_index", "dim"),
        call_params=_YP,
        input=b.LOGITS,
        target=b.CLASS_INDEX,
        class_dim=1,
        defaults=(_REDUCTION, ("smooth_factor", None), ("ignore_index", -100), ("dim", 1)),
    ),
    ExternalLoss(
        name=f"{_SMP}.MCCLoss",
        aliases=(f"{_SMP}.mcc.MCCLoss",),
        params=("eps",),
        call_params=_YP,
        input=b.UNIT,
        target=b.FLOAT_UNIT,
        defaults=(("eps", 1e-5),),
    ),
    _smp_old("DiceLoss", (("beta", 1.0),)),
    _smp_old("JaccardLoss"),
)

# Bare subclasses of torch's own losses.
TORCH_SUBCLASSES: dict[str, str] = {
    f"{_SMP_OLD}.{name}": f"torch.nn.{name}"
    for name in ("L1Loss", "MSELoss", "CrossEntropyLoss", "NLLLoss", "BCELoss", "BCEWithLogitsLoss")
}


def _toolbelt(
    name: str,
    module: str,
    defaults: tuple[tuple[str, object], ...],
    target: str,
    call_params: tuple[str, ...] = ("input", "target"),
    input: str = b.LOGITS,
    required: tuple[str, ...] = (),
    switches: tuple[Switch, ...] = (),
    is_function: bool = False,
) -> ExternalLoss:
    names = (*required, *(key for key, _ in defaults))
    return ExternalLoss(
        name=f"{_PTT}.{name}",
        aliases=(f"{_PTT}.{module}.{name}",),
        params=(*call_params, *names) if is_function else names,
        call_params=call_params,
        is_function=is_function,
        input=input,
        target=target,
        switches=switches,
        target_switches=_BY_MODE if "mode" in required else (),
        class_dim=1 if target == b.CLASS_INDEX or "mode" in required else None,
        defaults=defaults,
    )


_IGNORE = ("ignore_index", None)
_T_FOCAL = (("reduction", "mean"), ("normalized", False), ("reduced_threshold", None))
_T_JACCARD = (("classes", None), ("log_loss", False), ("from_logits", True), ("smooth", 0))
_T_CE = (("gamma", 2.0), *_T_FOCAL, ("ignore_index", -100), ("class_weights", None))
_T_TEMPER = (("smoothing", 0.0), _IGNORE, _REDUCTION)
_PTS = ("predictions", "targets")
_OT = ("output", "target")

TOOLBELT = (
    _toolbelt(
        "BinaryFocalLoss",
        "focal",
        (
            *(("alpha", None), ("gamma", 2.0), _IGNORE, *_T_FOCAL, ("activation", "sigmoid")),
            *(("softmax_dim", None), ("class_weights", None)),
        ),
        b.FLOAT_UNIT,
        ("inputs", "targets"),
    ),
    _toolbelt("CrossEntropyFocalLoss", "focal", _T_CE, b.CLASS_INDEX, ("inputs", "targets")),
    _toolbelt("FocalLoss", "focal", _T_CE, b.CLASS_INDEX, ("inputs", "targets")),  # the old name
    _toolbelt(
        "DiceLoss",
        "dice",
        (*_T_JACCARD, _IGNORE, ("eps", 1e-7)),
        b.FLOAT_UNIT,
        _YP,
        required=("mode",),
        switches=_FROM_LOGITS,
    ),
    _toolbelt(
        "JaccardLoss",
        "jaccard",
        (*_T_JACCARD, ("eps", 1e-7)),
        b.FLOAT_UNIT,
        _YP,
        required=("mode",),
        switches=_FROM_LOGITS,
    ),
    _toolbelt(
        "BinaryLovaszLoss", "lovasz", (("per_image", False), _IGNORE), b.FLOAT_UNIT, ("logits", "target")
    ),
    _toolbelt(  # no softmax inside, whatever the name of the argument says
        "LovaszLoss",
        "lovasz",
        (("per_image", False), ("ignore", None)),
        b.CLASS_INDEX,
        ("logits", "target"),
        b.PROBS,
    ),
    _toolbelt(
        "BiTemperedLogisticLoss", "bitempered_loss", _T_TEMPER, b.CLASS_INDEX, _PTS, required=("t1", "t2")
    ),
    _toolbelt(
        "BinaryBiTemperedLogisticLoss",
        "bitempered_loss",
        _T_TEMPER,
        b.FLOAT_UNIT,
        _PTS,
        required=("t1", "t2"),
    ),
    _toolbelt("QualityFocalLoss", "quality_focal_loss", (("beta", 2), _REDUCTION), b.FLOAT_UNIT, _PTS),
    _toolbelt(
        "SoftBCEWithLogitsLoss",
        "soft_bce",
        (("weight", None), ("ignore_index", -100), _REDUCTION, ("smooth_factor", None), ("pos_weight", None)),
        b.FLOAT_UNIT,
    ),
    _toolbelt(
        "SoftCrossEntropyLoss",
        "soft_ce",
        (_REDUCTION, ("smooth_factor", 0.0), ("ignore_index", -100), ("dim", 1)),
        b.CLASS_INDEX,
    ),
    _toolbelt("BinarySoftF1Loss", "soft_f1", (_IGNORE, ("eps", 1e-6)), b.FLOAT_UNIT, ("preds", "targets")),
    _toolbelt("SoftF1Loss", "soft_f1", (_IGNORE, ("eps", 1e-6)), b.CLASS_INDEX, ("preds", "targets")),
    _toolbelt(
        "BalancedBCEWithLogitsLoss", "balanced_bce", (("gamma", 1.0), _REDUCTION, _IGNORE), b.FLOAT_UNIT, _OT
    ),
    _toolbelt(
        "focal_loss_with_logits",
        "functional",
        (
            *(("gamma", 2.0), ("alpha", 0.25), *_T_FOCAL, ("eps", 1e-6), _IGNORE, ("activation", "sigmoid")),
            *(("softmax_dim", None), ("class_weights", None)),
        ),
        b.FLOAT_UNIT,
        _OT,
        is_function=True,
    ),
    _toolbelt(
        "softmax_focal_loss_with_logits",
        "functional",
        (("class_weights", None), ("gamma", 2.0), *_T_FOCAL, ("eps", 1e-6), ("ignore_index", -100)),
        b.CLASS_INDEX,
        _OT,
        is_function=True,
    ),
)
