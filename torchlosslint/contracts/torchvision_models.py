"""The classifiers of torchvision: head and width. Measured on torchvision 0.29.2 (meta device).

Every one returns scores (N, C), in training and in evaluation alike.
"""

from __future__ import annotations

from torchlosslint.contracts import base as b
from torchlosslint.contracts.architectures import TENSOR, Architecture, OutputField

# module: (head, ((factories, width), ...))
_Families = tuple[tuple[str, str, tuple[tuple[str, int], ...]], ...]
_FAMILIES: _Families = (
    ("alexnet", "classifier.6", (("alexnet", 4096),)),
    (
        "vgg",
        "classifier.6",
        (("vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn", 4096),),
    ),
    (
        "resnet",
        "fc",
        (
            ("resnet18 resnet34", 512),
            ("resnet50 resnet101 resnet152 resnext50_32x4d resnext101_32x8d resnext101_64x4d", 2048),
            ("wide_resnet50_2 wide_resnet101_2", 2048),
        ),
    ),
    ("squeezenet", "classifier.1", (("squeezenet1_0 squeezenet1_1", 512),)),  # Conv2d, then relu and pooling
    (
        "densenet",
        "classifier",
        (("densenet121", 1024), ("densenet161", 2208), ("densenet169", 1664), ("densenet201", 1920)),
    ),
    ("mobilenetv2", "classifier.1", (("mobilenet_v2", 1280),)),
    ("mobilenetv3", "classifier.3", (("mobilenet_v3_large", 1280), ("mobilenet_v3_small", 1024))),
    ("mnasnet", "classifier.1", (("mnasnet0_5 mnasnet0_75 mnasnet1_0 mnasnet1_3", 1280),)),
    (
        "shufflenetv2",
        "fc",
        (("shufflenet_v2_x0_5 shufflenet_v2_x1_0 shufflenet_v2_x1_5", 1024), ("shufflenet_v2_x2_0", 2048)),
    ),
    (
        "efficientnet",
        "classifier.1",
        (
            ("efficientnet_b0 efficientnet_b1", 1280),
            *(("efficientnet_b2", 1408), ("efficientnet_b3", 1536), ("efficientnet_b4", 1792)),
            *(("efficientnet_b5", 2048), ("efficientnet_b6", 2304), ("efficientnet_b7", 2560)),
            ("efficientnet_v2_s efficientnet_v2_m efficientnet_v2_l", 1280),
        ),
    ),
    (
        "convnext",
        "classifier.2",
        (("convnext_tiny convnext_small", 768), ("convnext_base", 1024), ("convnext_large", 1536)),
    ),
    (
        "regnet",
        "fc",
        (
            *(
                ("regnet_y_400mf", 440),
                ("regnet_y_800mf", 784),
                ("regnet_y_1_6gf", 888),
                ("regnet_y_3_2gf", 1512),
            ),
            *(
                ("regnet_y_8gf", 2016),
                ("regnet_y_16gf", 3024),
                ("regnet_y_32gf", 3712),
                ("regnet_y_128gf", 7392),
            ),
            *(
                ("regnet_x_400mf", 400),
                ("regnet_x_800mf", 672),
                ("regnet_x_1_6gf", 912),
                ("regnet_x_3_2gf", 1008),
            ),
            *(("regnet_x_8gf", 1920), ("regnet_x_16gf", 2048), ("regnet_x_32gf", 2520)),
        ),
    ),
    (
        "vision_transformer",
        "heads.head",
        (("vit_b_16 vit_b_32", 768), ("vit_l_16 vit_l_32", 1024), ("vit_h_14", 1280)),
    ),
    ("swin_transformer", "head", (("swin_t swin_s swin_v2_t swin_v2_s", 768), ("swin_b swin_v2_b", 1024))),
    ("maxvit", "classifier.5", (("maxvit_t", 512),)),
    ("video.resnet", "fc", (("r3d_18 mc3_18 r2plus1d_18", 512),)),
    ("video.mvit", "head.1", (("mvit_v1_b mvit_v2_s", 768),)),
    ("video.s3d", "classifier.1", (("s3d", 1024),)),  # Conv3d
    ("video.swin_transformer", "head", (("swin3d_t swin3d_s", 768), ("swin3d_b", 1024))),
)


def _family(module: str, head: str, factories: str, width: int) -> Architecture:
    up = f"{module.rpartition('.')[0]}." if "." in module else ""
    names = factories.split()
    return Architecture(
        patterns=tuple(
            f"torchvision.models.{prefix}{name}" for prefix in (up, f"{module}.") for name in names
        ),
        kind=TENSOR,
        fields=(OutputField("", 0, b.LOGITS),),
        params=("pretrained", "progress"),  # before 0.13; keywords since
        heads=(head,),
        features=width,
        classes_param="num_classes",
        classes=400 if up else 1000,
    )


# Classes, and factories found only by name: the head is one of these, the width unknown.
_CLASSES = (
    ("AlexNet VGG", "classifier.6"),
    ("ResNet RegNet ShuffleNetV2", "fc"),
    ("SqueezeNet MobileNetV2 MNASNet EfficientNet", "classifier.1"),
    ("DenseNet", "classifier"),
    ("MobileNetV3", "classifier.3"),
    ("ConvNeXt", "classifier.2"),
    ("VisionTransformer", "heads.head"),
    ("SwinTransformer", "head"),
    ("MaxVit", "classifier.5"),
)

ALL: tuple[Architecture, ...] = (
    *(_family(module, head, names, width) for module, head, rows in _FAMILIES for names, width in rows),
    *(
        Architecture(
            patterns=tuple(
                f"torchvision.models.{prefix}{name}" for name in names.split() for prefix in ("", "*.")
            ),
            kind=TENSOR,
            fields=(OutputField("", 0, b.LOGITS),),
            heads=(head,),
            classes_param="num_classes",
            classes=1000,
        )
        for names, head in _CLASSES
    ),
)
