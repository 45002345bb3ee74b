"""The records about other libraries: their lookups, and what can be checked without those libraries."""

from __future__ import annotations

import inspect

import pytest

from torchlosslint.contracts import (
    base as b,
    distributions,
    models,
    third_party,
    torchvision_models,
    transformers_models,
)

WORDS = {v for k, v in vars(b).items() if k.isupper() and isinstance(v, str)}


def test_losses_are_well_formed() -> None:
    names = [n for loss in third_party.ALL for n in (loss.name, *loss.aliases)]
    assert len(names) == len(set(names))
    for loss in third_party.ALL:
        assert third_party.by_name(loss.name) is loss
        assert {loss.input, loss.target} <= WORDS
        assert {n for n, _ in loss.defaults} <= set(loss.params), loss.name
        assert set(loss.one_of) <= set(loss.params)
        for switch in (*loss.switches, *loss.target_switches):
            assert switch.input in WORDS
            assert {n for n, _ in switch.when} <= set(loss.params), loss.name
        if loss.is_function:
            assert loss.params[:2] == loss.call_params
    assert third_party.by_name("torch.nn.BCELoss") is None


@pytest.mark.parametrize(
    ("name", "config", "word"),
    [
        ("torchvision.ops.sigmoid_focal_loss", {}, b.LOGITS),
        ("segmentation_models_pytorch.losses.DiceLoss", {"mode": "multiclass"}, b.LOGITS),
        (
            "segmentation_models_pytorch.losses.DiceLoss",
            {"mode": "multiclass", "from_logits": False},
            b.PROBS,
        ),
        ("segmentation_models_pytorch.losses.DiceLoss", {"mode": "binary", "from_logits": False}, b.UNIT),
        ("segmentation_models_pytorch.losses.DiceLoss", {"mode": ..., "from_logits": False}, b.UNIT_OR_PROBS),
        ("segmentation_models_pytorch.losses.JaccardLoss", {"mode": "binary", "from_logits": ...}, b.ANY),
        ("segmentation_models_pytorch.losses.LovaszLoss", {"mode": "binary", "from_logits": False}, b.LOGITS),
        ("segmentation_models_pytorch.losses.MCCLoss", {}, b.UNIT),
        ("segmentation_models_pytorch.utils.losses.DiceLoss", {}, b.UNIT_OR_PROBS),
        ("segmentation_models_pytorch.utils.losses.DiceLoss", {"activation": "sigmoid"}, b.LOGITS),
        ("timm.loss.SoftTargetCrossEntropy", {}, b.LOGITS),
        ("timm.loss.cross_entropy.LabelSmoothingCrossEntropy", {}, b.LOGITS),
        ("monai.losses.DiceLoss", {}, b.UNIT_OR_PROBS),
        ("monai.losses.DiceLoss", {"sigmoid": True}, b.LOGITS),
        ("monai.losses.DiceLoss", {"softmax": True}, b.LOGITS),
        ("monai.losses.DiceLoss", {"other_act": print}, b.ANY),
        ("monai.losses.DiceLoss", {"sigmoid": ...}, b.ANY),
        ("monai.losses.DiceCELoss", {"softmax": True}, b.LOGITS),
        ("monai.losses.FocalLoss", {"use_softmax": True}, b.LOGITS),
        ("kornia.losses.focal_loss", {}, b.LOGITS),
        ("kornia.losses.js_div_loss_2d", {}, b.PROBS),
        ("pytorch_toolbelt.losses.LovaszLoss", {}, b.PROBS),
        ("pytorch_toolbelt.losses.BinaryLovaszLoss", {}, b.LOGITS),
        ("transformers.trainer_pt_utils.LabelSmoother", {}, b.LOGITS),
    ],
)
def test_input_under(name: str, config: dict[str, object], word: str) -> None:
    loss = third_party.by_name(name)
    assert loss is not None
    assert loss.input_under(config) == word


def test_torch_subclasses() -> None:
    torch = pytest.importorskip("torch")
    for name in third_party.TORCH_SUBCLASSES.values():
        assert hasattr(torch.nn, name.rpartition(".")[2])


def test_distributions() -> None:
    torch = pytest.importorskip("torch")
    found = {
        n
        for n in torch.distributions.__all__
        if {"probs", "logits"} <= set(inspect.signature(getattr(torch.distributions, n).__init__).parameters)
    }
    assert {f"torch.distributions.{n}" for n in found} == {d.name for d in distributions.ALL}
    for d in distributions.ALL:
        cls = getattr(torch.distributions, d.name.rpartition(".")[2])
        assert tuple(inspect.signature(cls).parameters) == d.params
        assert all(distributions.by_name(a) is d for a in d.aliases)
        first = {n: torch.tensor(1.0) for n in d.params[:1] if n == "temperature"}
        module, _, name = d.aliases[0].rpartition(".")
        assert cls is getattr(inspect.getmodule(cls), name)
        assert cls.__module__ == module
        x = torch.randn(2, 3)
        activated = x.softmax(-1) if d.probs == b.PROBS else x.sigmoid()
        total = {"total_count": 1} if "total_count" in d.params else {}
        one, two = cls(logits=x, **first, **total), cls(probs=activated, **first, **total)
        assert torch.allclose(one.probs, two.probs, atol=1e-5)
        again = cls(logits=x.log_softmax(-1), **first, **total)
        assert torch.allclose(again.probs, two.probs, atol=1e-5) is (b.LOG_PROBS in d.logits)
        if name != "ContinuousBernoulli":  # that one looks at NaN only
            with pytest.raises(ValueError):
                cls(probs=torch.tensor([[2.0, -1.0, 3.0]] * 2), **first, **total)


def test_architectures_are_well_formed() -> None:
    for a in models.ALL:
        assert a.patterns
        assert a.fields
        words = {f.word for f in (*a.fields, *a.otherwise, *(f for v in a.variants for f in v.fields))}
        assert words <= WORDS
        for pattern in a.patterns:
            if "*" not in pattern and "?" not in pattern and "[" not in pattern:
                assert models.by_name(pattern) is not None
    exact = [p for a in torchvision_models.ALL for p in a.patterns]
    assert len(exact) == len(set(exact))


@pytest.mark.parametrize(
    ("name", "heads", "features"),
    [
        ("torchvision.models.resnet18", "fc", 512),
        ("torchvision.models.resnet50", "fc", 2048),
        ("torchvision.models.resnet.resnet50", "fc", 2048),
        ("torchvision.models.vgg16", "classifier.6", 4096),
        ("torchvision.models.densenet121", "classifier", 1024),
        ("torchvision.models.vit_b_16", "heads.head", 768),
        ("torchvision.models.swin_t", "head", 768),
        ("torchvision.models.efficientnet_b0", "classifier.1", 1280),
        ("torchvision.models.video.r3d_18", "fc", 512),
        ("torchvision.models.ResNet", "fc", None),
        ("efficientnet_pytorch.EfficientNet.from_pretrained", "_fc", None),
        ("pretrainedmodels.se_resnext50_32x4d", "last_linear", None),
        ("transformers.BertForSequenceClassification.from_pretrained", "classifier", None),
    ],
)
def test_heads(name: str, heads: str, features: int | None) -> None:
    a = models.by_name(name)
    assert a is not None
    assert a.heads[0] == heads
    assert a.features == features


@pytest.mark.parametrize(
    "name",
    [
        *(
            "torchvision.models.ResNet50_Weights",
            "torchvision.models.list_models",
            "timm.list_models",
            "timm.models.layers",
        ),
        *(
            "pretrainedmodels.__dict__",
            "pretrainedmodels.models",
            "transformers.PreTrainedModel",
            "torch.nn.Linear",
        ),
        *(
            "transformers.BertTokenizer.from_pretrained",
            "transformers.CLIPModel.from_pretrained",
            "",
            "torchvision",
        ),
    ],
)
def test_not_a_model(name: str) -> None:
    assert models.by_name(name) is None


def returns(name: str, **config: object) -> tuple[str, list[tuple[str, str]]]:
    a = models.by_name(name)
    assert a is not None
    kind, fields = a.returns(config)
    return kind, [(f.name, f.word) for f in fields]


def test_returns() -> None:
    unet = "segmentation_models_pytorch.Unet"
    assert returns(unet) == ("tensor", [("", b.LOGITS)])
    assert returns(unet, activation=None) == ("tensor", [("", b.LOGITS)])
    assert returns(unet, activation="sigmoid") == ("tensor", [("", b.UNIT)])
    assert returns(unet, activation="softmax2d") == ("tensor", [("", b.PROBS)])
    assert returns(unet, activation="logsoftmax") == ("tensor", [("", b.LOG_PROBS)])
    assert returns(unet, activation=...) == ("tensor", [("", b.ANY)])
    assert returns(unet, activation=print) == ("tensor", [("", b.ANY)])
    assert returns(unet, aux_params={"classes": 3})[0] == "tuple"
    assert returns("timm.create_model") == ("tensor", [("", b.LOGITS)])
    assert returns("timm.create_model", num_classes=0) == ("tensor", [("", b.REAL)])
    fcn = "torchvision.models.segmentation.fcn_resnet50"
    assert returns(fcn) == ("dict", [("out", b.LOGITS)])
    assert returns(fcn, aux_loss=True) == ("dict", [("out", b.LOGITS), ("aux", b.LOGITS)])
    assert returns("torchvision.models.detection.fasterrcnn_resnet50_fpn")[0] == "losses"
    inception = models.by_name("torchvision.models.inception_v3")
    assert inception is not None
    assert inception.when == "training"
    assert [f.word for f in inception.otherwise] == [b.LOGITS]
    assert returns("torchvision.models.inception_v3", aux_logits=False)[0] == "tensor"
    assert returns("torchvision.models.googlenet")[0] == "tuple"
    assert returns("torchvision.models.googlenet", weights="DEFAULT")[0] == "tensor"
    assert returns("torchvision.models.googlenet", weights="DEFAULT", aux_logits=True)[0] == "tuple"


def test_transformers() -> None:
    kind, fields = returns("transformers.AutoModelForSequenceClassification.from_pretrained")
    assert (kind, fields) == ("object", [("loss", b.REAL), ("logits", b.LOGITS)])
    bert = models.by_name("transformers.BertModel.from_pretrained")
    auto = models.by_name("transformers.AutoModel.from_pretrained")
    assert bert is not None
    assert auto is not None
    assert [(f.name, f.low, f.high) for f in bert.fields] == [
        ("last_hidden_state", None, None),
        ("pooler_output", -1.0, 1.0),
    ]
    assert auto.fields[1].word == b.ANY
    assert models.by_name("transformers.models.bert.modeling_bert.BertModel") is bert
    assert len(set(transformers_models._TANH)) == len(transformers_models._TANH)


def test_hub() -> None:
    resnet = models.by_hub("pytorch/vision:v0.10.0", "resnet18")
    assert resnet is models.by_name("torchvision.models.resnet18")
    assert models.by_hub("pytorch/vision", "fcn_resnet50") is not None
    assert models.by_hub("someone/else", "resnet18") is None
