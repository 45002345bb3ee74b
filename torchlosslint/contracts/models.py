"""Well-known model factories of other libraries, and what a call of their model returns.

The classifiers of torchvision stand in torchvision_models.py, transformers in transformers_models.py.
Read from the sources of torchvision 0.29.2, timm 1.0.31, segmentation-models-pytorch 0.6.0,
efficientnet-pytorch 0.7.1, pretrainedmodels 0.7.4 and monai 1.6.1.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from torchlosslint.contracts import base as b, torchvision_models, transformers_models
from torchlosslint.contracts.architectures import (
    DICT,
    LOSSES,
    TENSOR,
    TRAINING,
    TUPLE,
    Architecture,
    OutputField,
    Variant,
)
from torchlosslint.contracts.base import Switch

_LOGITS = (OutputField("", 0, b.LOGITS),)
_TV_SEG = (OutputField("out", 0, b.LOGITS),)
_TV_SEG_AUX = (*_TV_SEG, OutputField("aux", 1, b.LOGITS))
_FASTER = ("loss_classifier", "loss_box_reg", "loss_objectness", "loss_rpn_box_reg")
_ONE_STAGE = ("classification", "bbox_regression")


def _losses(*names: str) -> tuple[OutputField, ...]:
    return tuple(OutputField(name, i, b.NON_NEGATIVE) for i, name in enumerate(names))


def _tv(*patterns: str) -> tuple[str, ...]:
    """Names under torchvision.models and its submodules (re-exported one level up)."""
    return tuple(f"torchvision.models.{p}" for p in patterns)


_INCEPTION = Variant((("aux_logits", False),), TENSOR, _LOGITS)

TORCHVISION = (
    Architecture(
        patterns=_tv("inception_v3", "inception.inception_v3", "Inception3", "inception.Inception3"),
        kind=TUPLE,  # InceptionOutputs in training, a tensor in evaluation
        fields=(OutputField("logits", 0, b.LOGITS), OutputField("aux_logits", 1, b.LOGITS)),
        when=TRAINING,
        otherwise=_LOGITS,
        variants=(_INCEPTION,),
        heads=("fc", "AuxLogits.fc"),
        features=2048,
        classes_param="num_classes",
        classes=1000,
    ),
    Architecture(
        patterns=_tv("googlenet", "googlenet.googlenet", "GoogLeNet", "googlenet.GoogLeNet"),
        kind=TUPLE,
        fields=(
            OutputField("logits", 0, b.LOGITS),
            OutputField("aux_logits2", 1, b.LOGITS),
            OutputField("aux_logits1", 2, b.LOGITS),
        ),
        when=TRAINING,
        otherwise=_LOGITS,
        variants=(  # with weights, the auxiliary heads go unless asked for
            _INCEPTION,
            Variant((("weights", b.GIVEN), ("aux_logits", None)), TENSOR, _LOGITS),
            Variant((("pretrained", True), ("aux_logits", None)), TENSOR, _LOGITS),
        ),
        heads=("fc", "aux1.fc2", "aux2.fc2"),
        features=1024,
        classes_param="num_classes",
        classes=1000,
    ),
    Architecture(
        patterns=_tv("segmentation.lraspp_*", "segmentation.lraspp.lraspp_*"),
        kind=DICT,
        fields=_TV_SEG,
        heads=("classifier.low_classifier", "classifier.high_classifier"),
        class_dim=1,
        classes_param="num_classes",
        classes=21,
    ),
    Architecture(
        patterns=_tv(
            "segmentation.fcn_*",
            "segmentation.deeplabv3_*",
            "segmentation.*.fcn_*",
            "segmentation.*.deeplabv3_*",
        ),
        kind=DICT,
        fields=_TV_SEG,
        variants=(  # weights imply the auxiliary head
            Variant((("aux_loss", True),), DICT, _TV_SEG_AUX),
            Variant((("weights", b.GIVEN),), DICT, _TV_SEG_AUX),
            Variant((("pretrained", True),), DICT, _TV_SEG_AUX),
        ),
        heads=("classifier.4", "aux_classifier.4"),
        class_dim=1,
        classes_param="num_classes",
        classes=21,
    ),
    Architecture(
        patterns=_tv("detection.maskrcnn_*", "detection.*.maskrcnn_*", "detection.MaskRCNN"),
        kind=LOSSES,
        fields=_losses(*_FASTER, "loss_mask"),
        when=TRAINING,
    ),
    Architecture(
        patterns=_tv("detection.keypointrcnn_*", "detection.*.keypointrcnn_*", "detection.KeypointRCNN"),
        kind=LOSSES,
        fields=_losses(*_FASTER, "loss_keypoint"),
        when=TRAINING,
    ),
    Architecture(
        patterns=_tv("detection.fasterrcnn_*", "detection.*.fasterrcnn_*", "detection.FasterRCNN"),
        kind=LOSSES,
        fields=_losses(*_FASTER),
        when=TRAINING,
    ),
    Architecture(
        patterns=_tv("detection.fcos_*", "detection.*.fcos_*", "detection.FCOS"),
        kind=LOSSES,
        fields=_losses(*_ONE_STAGE, "bbox_ctrness"),
        when=TRAINING,
    ),
    Architecture(
        patterns=_tv(
            *("detection.retinanet_*", "detection.*.retinanet_*", "detection.RetinaNet"),
            *("detection.ssd*", "detection.*.ssd*", "detection.SSD"),
        ),
        kind=LOSSES,
        fields=_losses(*_ONE_STAGE),
        when=TRAINING,
    ),
    *torchvision_models.ALL,
)

_TIMM_NAMES = (
    *(
        "resnet[0-9]*",
        "resnext*",
        "wide_resnet*",
        "seresnet*",
        "seresnext*",
        "resnest*",
        "res2net*",
        "ecaresnet*",
    ),
    *(
        "efficientnet*_*",
        "efficientnetv2_*",
        "tf_efficientnet*",
        "mobilenetv[1-4]*_*",
        "mnasnet_*",
        "densenet1*",
    ),
    *("vgg1*", "xception*", "inception_*", "regnet[xyz]_*", "convnext_*", "convnextv2_*", "vit_*", "deit*_*"),
    *("swin_*", "swinv2_*", "beit*_*", "eva0*", "maxvit_*", "coatnet_*", "mixer_*", "nfnet*", "dm_nfnet*"),
)

TIMM = (
    Architecture(
        patterns=("timm.create_model", "timm.models.create_model", "timm.models.factory.create_model"),
        kind=TENSOR,
        fields=_LOGITS,
        params=("model_name", "pretrained"),
        variants=(  # no head: features
            Variant((("num_classes", 0),), TENSOR, (OutputField("", 0, b.REAL),)),
            Variant((("features_only", True),), "list", (OutputField("*", 0, b.REAL),)),
        ),
        heads=("head.fc", "head", "classifier", "fc", "last_linear"),
        head_getter="get_classifier",
        head_setter="reset_classifier",
        class_dim=1,
        classes_param="num_classes",
        classes=1000,
    ),
    Architecture(
        patterns=tuple(f"timm.models.{place}{name}" for name in _TIMM_NAMES for place in ("", "*.")),
        kind=TENSOR,
        fields=_LOGITS,
        variants=(Variant((("num_classes", 0),), TENSOR, (OutputField("", 0, b.REAL),)),),
        heads=("head.fc", "head", "classifier", "fc", "last_linear"),
        head_getter="get_classifier",
        head_setter="reset_classifier",
        class_dim=1,
        classes_param="num_classes",
        classes=1000,
    ),
)

# activation= of the head; with the default None, scores.
SMP_ACTIVATION = (
    Switch((("activation", "sigmoid"),), b.UNIT),
    Switch((("activation", "softmax"),), b.PROBS),
    Switch((("activation", "softmax2d"),), b.PROBS),
    Switch((("activation", "logsoftmax"),), b.LOG_PROBS),
    Switch((("activation", "identity"),), b.LOGITS),
    Switch((("activation", b.GIVEN),), b.ANY),  # tanh, clamp, argmax, a callable
)

_HEAD = ("in_channels", "classes", "activation")
_UP = (*_HEAD, "upsampling", "aux_params")
_PLAIN = (*_HEAD, "aux_params")
_ENCODER = ("encoder_name", "encoder_depth", "encoder_weights")
_UNET = (
    *(*_ENCODER, "decoder_use_norm", "decoder_channels", "decoder_attention_type", "decoder_interpolation"),
    *_PLAIN,
)
_DEEPLAB = (
    *(*_ENCODER, "encoder_output_stride", "decoder_channels", "decoder_atrous_rates"),
    *("decoder_aspp_separable", "decoder_aspp_dropout", *_UP),
)
_FPN = (
    *(*_ENCODER, "decoder_pyramid_channels", "decoder_segmentation_channels", "decoder_merge_policy"),
    *("decoder_dropout", "decoder_interpolation", *_UP),
)
_DPT = (
    *(*_ENCODER, "encoder_output_indices", "decoder_readout"),
    *("decoder_intermediate_channels", "decoder_fusion_channels", *_PLAIN),
)
SMP_PARAMS: dict[str, tuple[str, ...]] = {
    "Unet": _UNET,
    "UnetPlusPlus": _UNET,
    "MAnet": (
        *(*_ENCODER, "decoder_use_norm", "decoder_channels", "decoder_pab_channels", "decoder_interpolation"),
        *_PLAIN,
    ),
    "Linknet": (*_ENCODER, "decoder_use_norm", *_PLAIN),
    "FPN": _FPN,
    "PSPNet": (
        *("encoder_name", "encoder_weights", "encoder_depth", "psp_out_channels", "decoder_use_norm"),
        *("psp_dropout", *_UP),
    ),
    "DeepLabV3": _DEEPLAB,
    "DeepLabV3Plus": _DEEPLAB,
    "PAN": (*_ENCODER, "encoder_output_stride", "decoder_channels", "decoder_interpolation", *_UP),
    "UPerNet": (*_ENCODER, "decoder_channels", "decoder_use_norm", *_UP),
    "Segformer": (*_ENCODER, "decoder_segmentation_channels", *_UP),
    "DPT": _DPT,
    "create_model": ("arch", "encoder_name", "encoder_weights", "in_channels", "classes"),
}

SMP = tuple(
    Architecture(
        patterns=(f"segmentation_models_pytorch.{name}", f"segmentation_models_pytorch.decoders.*.{name}"),
        kind=TENSOR,
        fields=_LOGITS,
        params=params,
        switches=SMP_ACTIVATION,
        variants=(  # a second head, with an `activation` of its own in that dict
            Variant(
                (("aux_params", b.GIVEN),), TUPLE, (OutputField("", 0, b.LOGITS), OutputField("", 1, b.ANY))
            ),
        ),
        heads=("segmentation_head.0",),
        class_dim=1,
        classes_param="classes",
        classes=1,
    )
    for name, params in SMP_PARAMS.items()
)

EFFICIENTNET = (
    Architecture(
        patterns=(
            *("efficientnet_pytorch.EfficientNet", "efficientnet_pytorch.EfficientNet.from_*"),
            *("efficientnet_pytorch.model.EfficientNet", "efficientnet_pytorch.model.EfficientNet.from_*"),
        ),
        kind=TENSOR,
        fields=_LOGITS,
        variants=(Variant((("include_top", False),), TENSOR, (OutputField("", 0, b.REAL),)),),
        heads=("_fc",),
        class_dim=1,
        classes_param="num_classes",
        classes=1000,
    ),
)

# heads: SqueezeNets there have none of that name.
_CADENE = (
    *(
        "fbresnet152",
        "cafferesnet101",
        "bninception",
        "resnext101_32x4d",
        "resnext101_64x4d",
        "inceptionv[34]",
    ),
    *(
        "inceptionresnetv2",
        "nasneta*",
        "alexnet",
        "densenet1*",
        "densenet201",
        "resnet[135]*",
        "squeezenet1_?",
    ),
    *("vgg1*", "dpn*", "xception", "senet154", "se_resne*", "pnasnet5large", "polynet"),
)

PRETRAINEDMODELS = (
    Architecture(
        patterns=tuple(
            f"pretrainedmodels.{place}{name}" for name in _CADENE for place in ("", "models.", "models.*.")
        ),
        kind=TENSOR,
        fields=_LOGITS,
        params=("num_classes", "pretrained"),
        heads=("last_linear",),
        class_dim=1,
        classes_param="num_classes",
        classes=1000,
    ),
)

# Networks that end in a convolution or a linear layer, whatever their options. (N, C, *)
MONAI = tuple(
    Architecture(
        patterns=(f"monai.networks.nets.{name}", f"monai.networks.nets.{module}.{name}"),
        kind=TENSOR,
        fields=_LOGITS,
        classes_param="out_channels",
    )
    for module, names in (
        ("unet", ("UNet", "Unet")),
        ("basic_unet", ("BasicUNet", "BasicUnet")),
        ("segresnet", ("SegResNet",)),
        ("unetr", ("UNETR",)),
        ("swin_unetr", ("SwinUNETR",)),
        ("vnet", ("VNet",)),
        ("densenet", ("DenseNet", "DenseNet121", "DenseNet169", "DenseNet201", "DenseNet264")),
    )
    for name in names
)

ALL: tuple[Architecture, ...] = (
    *TORCHVISION,
    *TIMM,
    *SMP,
    *EFFICIENTNET,
    *PRETRAINEDMODELS,
    *MONAI,
    *transformers_models.ALL,
)

_EXACT = {p: a for a in reversed(ALL) for p in a.patterns if not set(p) & set("*?[")}
_WILD = tuple((p, a) for a in ALL for p in a.patterns if set(p) & set("*?["))
_BY_PREFIX: dict[str, list[tuple[str, Architecture]]] = {}
for _pattern, _architecture in _WILD:
    _BY_PREFIX.setdefault(_pattern.split(".", 1)[0], []).append((_pattern, _architecture))


def by_name(qual: str) -> Architecture | None:
    """The architecture made by calling this qualified name.

    An exact name wins over a pattern, and the first pattern over later ones; a star covers letters
    of one dotted part.
    """
    if (exact := _EXACT.get(qual)) is not None:
        return exact
    parts = qual.split(".")
    for pattern, architecture in _BY_PREFIX.get(parts[0], ()):
        wanted = pattern.split(".")
        if len(wanted) == len(parts) and all(fnmatchcase(p, w) for p, w in zip(parts, wanted, strict=True)):
            return None if architecture.except_names.intersection(parts) else architecture
    return None


def by_hub(repository: str, name: str) -> Architecture | None:
    """What torch.hub.load(repository, name) gives: ("pytorch/vision:v0.10.0", "resnet18")."""
    owner = repository.split(":", 1)[0]
    if owner == "pytorch/vision":
        return by_name(f"torchvision.models.{name}") or by_name(f"torchvision.models.segmentation.{name}")
    if owner in ("rwightman/pytorch-image-models", "huggingface/pytorch-image-models"):
        return by_name("timm.create_model")
    return None
