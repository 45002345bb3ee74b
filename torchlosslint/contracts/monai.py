"""The losses of MONAI, read from the sources of monai 1.6.1. Facts only.

AsymmetricUnifiedFocalLoss is left out: its documentation asks for logits and its code for [0, 1].
"""

from __future__ import annotations

from torchlosslint.contracts import base as b
from torchlosslint.contracts.base import Switch
from torchlosslint.contracts.external import ExternalLoss

Defaults = tuple[tuple[str, object], ...]

_L = "monai.losses"
# sigmoid=True, softmax=True: applied by the loss. Neither: the input is in [0, 1] already.
_APPLIED = (
    Switch((("sigmoid", True),), b.LOGITS),
    Switch((("softmax", True),), b.LOGITS),
    Switch((("other_act", b.GIVEN),), b.ANY),
)
_ONE_OF = ("sigmoid", "softmax", "other_act")
# target: one-hot (N, C, *), or indices (N, 1, *) where to_onehot_y.
_TARGET = (Switch((("to_onehot_y", True),), b.CLASS_INDEX),)
_BACKGROUND: Defaults = (("include_background", True), ("to_onehot_y", False))
_HEAD: Defaults = (*_BACKGROUND, ("sigmoid", False), ("softmax", False), ("other_act", None))
_SMOOTH: Defaults = (("reduction", "mean"), ("smooth_nr", 1e-5), ("smooth_dr", 1e-5))
_END: Defaults = (*_SMOOTH, ("batch", False))
_DICE: Defaults = (*_HEAD, ("squared_pred", False), ("jaccard", False), *_END)
_GENERAL: Defaults = (*_HEAD, ("w_type", "square"), *_END)
_CL: Defaults = (("smooth_nr", 1.0), ("smooth_dr", 1.0), ("smooth", 1e-4), *_HEAD, ("reduction", "mean"))
_HAUSDORFF: Defaults = (
    *(("alpha", 2.0), ("include_background", False), *_HEAD[1:]),
    *(("reduction", "mean"), ("batch", False)),
)


def _dice(name: str, module: str, defaults: Defaults, aliases: tuple[str, ...] = ()) -> ExternalLoss:
    """A loss that wants [0, 1] unless it is told to apply an activation."""
    return ExternalLoss(
        name=f"{_L}.{name}",
        aliases=(f"{_L}.{module}.{name}", *(f"{_L}.{alias}" for alias in aliases)),
        params=tuple(key for key, _ in defaults),
        input=b.UNIT_OR_PROBS,
        target=b.FLOAT_UNIT,
        switches=_APPLIED,
        target_switches=_TARGET,
        class_dim=1,
        defaults=defaults,
    )


def _compound(name: str, defaults: Defaults, aliases: tuple[str, ...]) -> ExternalLoss:
    """A dice loss plus one on logits: the whole wants logits."""
    return ExternalLoss(
        name=f"{_L}.{name}",
        aliases=(f"{_L}.dice.{name}", *(f"{_L}.{alias}" for alias in aliases)),
        params=tuple(key for key, _ in defaults),
        input=b.LOGITS,
        target=b.FLOAT_UNIT,
        target_switches=_TARGET,
        one_of=_ONE_OF,
        class_dim=1,
        defaults=defaults,
    )


_FOCAL: Defaults = (
    *(*_BACKGROUND, ("gamma", 2.0), ("alpha", None), ("weight", None), ("reduction", "mean")),
    *(("use_softmax", False), ("ignore_index", None)),
)

ALL: tuple[ExternalLoss, ...] = (
    _dice(
        "DiceLoss",
        "dice",
        (*_DICE, ("weight", None), ("soft_label", False), ("ignore_index", None)),
        ("Dice", "dice.Dice"),
    ),
    _dice("MaskedDiceLoss", "dice", (*_DICE, ("weight", None), ("soft_label", False))),
    _dice("GeneralizedDiceLoss", "dice", (*_GENERAL, ("soft_label", False)), ("generalized_dice",)),
    _dice(
        "TverskyLoss",
        "tversky",
        (*_HEAD, ("alpha", 0.5), ("beta", 0.5), *_END, ("soft_label", False), ("ignore_index", None)),
    ),
    _dice(
        "MCCLoss",
        "mcc_loss",
        (*_HEAD, ("reduction", "mean"), ("smooth_nr", 0.0), ("smooth_dr", 1e-5), ("batch", False)),
    ),
    _dice("SoftclDiceLoss", "cldice", (("iter_", 3), *_CL)),
    _dice("SoftDiceclDiceLoss", "cldice", (("iter_", 3), ("alpha", 0.5), *_CL)),
    _dice("HausdorffDTLoss", "hausdorff_loss", _HAUSDORFF),
    _dice("LogHausdorffDTLoss", "hausdorff_loss", _HAUSDORFF),
    _compound(
        "DiceCELoss",
        (*_DICE, ("weight", None), ("lambda_dice", 1.0), ("lambda_ce", 1.0), ("label_smoothing", 0.0)),
        ("dice_ce",),
    ),
    _compound(
        "DiceFocalLoss",
        (
            *(*_DICE, ("gamma", 2.0), ("weight", None), ("lambda_dice", 1.0), ("lambda_focal", 1.0)),
            ("alpha", None),
        ),
        ("dice_focal",),
    ),
    _compound(
        "GeneralizedDiceFocalLoss",
        (*_GENERAL, ("gamma", 2.0), ("weight", None), ("lambda_gdl", 1.0), ("lambda_focal", 1.0)),
        ("generalized_dice_focal",),
    ),
    ExternalLoss(
        name=f"{_L}.FocalLoss",
        aliases=(f"{_L}.focal_loss.FocalLoss",),
        params=tuple(key for key, _ in _FOCAL),
        input=b.LOGITS,
        target=b.FLOAT_UNIT,
        target_switches=_TARGET,
        class_dim=1,
        defaults=_FOCAL,
    ),
    ExternalLoss(
        name=f"{_L}.GeneralizedWassersteinDiceLoss",
        aliases=(f"{_L}.dice.GeneralizedWassersteinDiceLoss", f"{_L}.generalized_wasserstein_dice"),
        params=("dist_matrix", "weighting_mode", "reduction", "smooth_nr", "smooth_dr"),
        input=b.LOGITS,
        target=b.CLASS_INDEX,
        class_dim=1,
        defaults=(("weighting_mode", "default"), *_SMOOTH),
    ),
    ExternalLoss(
        name=f"{_L}.NACLLoss",
        aliases=(f"{_L}.nacl_loss.NACLLoss",),
        params=("classes", "dim", "kernel_size", "kernel_ops", "distance_type", "alpha", "sigma"),
        call_params=("inputs", "targets"),
        input=b.LOGITS,
        target=b.CLASS_INDEX,
        class_dim=1,
        defaults=(
            *(("kernel_size", 3), ("kernel_ops", "mean"), ("distance_type", "l1"), ("alpha", 0.1)),
            ("sigma", 1.0),
        ),
    ),
)
