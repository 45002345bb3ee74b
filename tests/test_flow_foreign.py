"""Losses of other libraries and torch.distributions as the interpreter meets them."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_flow_programs import checked, linted, programs

from torchlosslint.contracts import base as b, third_party
from torchlosslint.contracts.external import EXTERNAL, ExternalLoss, as_contract


@programs(
    function_by_alias="""
        from torchvision.ops import sigmoid_focal_loss as focal
        focal(Soft()(x), y)  # TLL115
        focal(Raw()(x), y)
    """,
    through_a_module_attribute="""
        import segmentation_models_pytorch as smp

        class Trainer:
            def __init__(self, mode, from_logits):
                self.criterion = smp.losses.JaccardLoss(mode, from_logits=from_logits)

            def step(self, out):
                return self.criterion(out, y)

        Trainer("multiclass", True).step(Soft()(x))  # TLL115
        Trainer("multiclass", False).step(Raw()(x))  # TLL115
        Trainer("multiclass", False).step(Soft()(x))
        Trainer(smp.losses.MULTICLASS_MODE, True).step(Raw()(x))
    """,
    attribute_written_after_construction="""
        from segmentation_models_pytorch.losses import DiceLoss
        dice = DiceLoss("multiclass")
        dice.from_logits = False
        dice(Soft()(x), y)
        dice(Raw()(x), y)  # TLL115
    """,
    old_losses_of_segmentation_models="""
        from segmentation_models_pytorch.utils import losses
        losses.DiceLoss(activation="sigmoid")(Soft()(x), y)  # TLL115
        losses.DiceLoss()(Soft()(x), y)
        losses.CrossEntropyLoss()(Soft()(x), y)  # TLL101
    """,
    monai_switches="""
        from monai import losses
        losses.TverskyLoss(sigmoid=True)(torch.sigmoid(Raw()(x)), y)  # TLL115
        losses.FocalLoss(use_softmax=True)(Soft()(x), y)  # TLL115
        losses.DiceFocalLoss(softmax=True)(Raw()(x), y)
        losses.DiceFocalLoss()(Raw()(x), y)  # TLL115
        losses.DiceLoss(other_act=torch.tanh)(Raw()(x), y)
    """,
    other_libraries="""
        import kornia, pytorch_toolbelt.losses as L
        from timm.loss import SoftTargetCrossEntropy
        from torchmetrics.functional import kl_divergence
        kornia.losses.tversky_loss(Soft()(x), y, 0.5, 0.5)  # TLL115
        L.LovaszLoss()(Raw()(x), y)  # TLL115
        L.LovaszLoss()(Soft()(x), y)
        SoftTargetCrossEntropy()(Soft()(x), y)  # TLL115
        kl_divergence(Soft()(x), Soft()(x))
        kl_divergence(Raw()(x), Soft()(x))  # TLL115
        kl_divergence(Soft()(x), Soft()(x), log_prob=True)  # TLL115
    """,
    settings_that_are_not_known="""
        import json
        from monai.losses import DiceLoss
        settings = json.load(open("settings.json"))
        DiceLoss(**settings)(Raw()(x), y)
        DiceLoss(*settings["args"])(Raw()(x), y)
        DiceLoss(softmax=settings["softmax"])(Soft()(x), y)
    """,
    a_subclass_and_a_wrapper="""
        from monai.losses import DeepSupervisionLoss, DiceLoss

        class Own(DiceLoss):
            def __init__(self):
                super().__init__(to_onehot_y=True, softmax=True)

        DeepSupervisionLoss(Own())([Soft()(x), Raw()(x)], y)  # TLL115
        Own()(Raw()(x), y)
    """,
    distributions="""
        from torch import distributions as D
        D.Categorical(Soft()(x))
        D.Categorical(logits=Soft()(x))  # TLL115
        D.OneHotCategorical(Raw()(x))  # TLL115
        D.Categorical(None, Raw()(x))
        D.RelaxedOneHotCategorical(torch.tensor(0.5), Raw()(x))  # TLL115
        D.categorical.Categorical(logits=F.log_softmax(Raw()(x), dim=1))
        F.cross_entropy(D.Categorical(logits=Raw()(x)).probs, y)  # TLL101
    """,
    a_function_that_nothing_calls="""
        from torch.distributions import Categorical

        def act(state):
            probs = Soft()(state)
            return Categorical(logits=probs).sample()  # TLL115
    """,
    blame_goes_to_the_caller="""
        from torch.distributions import Categorical

        def sample(scores):
            return Categorical(logits=scores).sample()

        sample(Soft()(x))  # TLL115
        sample(Raw()(x))
    """,
    networks_of_monai="""
        from monai.inferers import sliding_window_inference
        from monai.losses import DiceLoss
        from monai.networks.nets import UNet

        class Own(UNet):
            def forward(self, x):
                return super().forward(x).sigmoid()

        net = nn.DataParallel(UNet(spatial_dims=3, in_channels=1, out_channels=2))
        DiceLoss(to_onehot_y=True)(net(x), y)  # TLL115
        DiceLoss(to_onehot_y=True, softmax=True)(net(x), y)
        DiceLoss(sigmoid=True)(sliding_window_inference(x, 96, 4, Own()), y)  # TLL115
        DiceLoss()(sliding_window_inference(x, 96, 4, Own()), y)
    """,
    a_model_that_computes_its_loss="""
        from transformers import AutoModelForSequenceClassification
        model = AutoModelForSequenceClassification.from_pretrained("name")
        out = model(x, labels=y)
        out.loss.backward()
        F.cross_entropy(out.logits, y)
    """,
)
def test_program(tmp_path: Path, body: str) -> None:
    checked(tmp_path, body)


def test_further_arguments_are_taken_apart(tmp_path: Path) -> None:
    """GaussianNLLLoss: the variance is one of two by an option."""
    report = checked(
        tmp_path,
        """
        import argparse
        parser = argparse.ArgumentParser()
        parser.add_argument("--log-var", action="store_true")
        args = parser.parse_args()
        out = Raw()(x)
        var = out if args.log_var else F.softplus(out)
        F.gaussian_nll_loss(Raw()(x), torch.zeros(2, 4), var)  # TLL114
        """,
    )
    assert report.findings[0].confidence == "likely"


def test_calls_are_counted_as_losses(tmp_path: Path) -> None:
    """Those of other libraries count; a distribution and a model's own loss do not."""
    report = linted(
        tmp_path,
        main="import torch\nfrom torch import nn\nfrom timm.loss import SoftTargetCrossEntropy\n"
        "from torch.distributions import Categorical\n"
        "def step(unknown):\n"
        "    out = nn.Linear(3, 2)(torch.randn(4, 3))\n"
        "    Categorical(logits=out)\n"
        "    SoftTargetCrossEntropy()(unknown, unknown)\n"
        "    return SoftTargetCrossEntropy()(out, unknown)\n",
    )
    counts = report.loss_calls
    assert (counts.seen, counts.judged, counts.unknown) == (2, 1, 1)


def test_a_library_is_not_judged_by_its_own_record(tmp_path: Path) -> None:
    """Inside its own package a loss is a class of the program, whatever is known of that name."""
    (tmp_path / "monai" / "losses").mkdir(parents=True)
    (tmp_path / "monai" / "__init__.py").touch()
    (tmp_path / "monai" / "losses" / "__init__.py").write_text("from monai.losses.dice import DiceLoss\n")
    report = linted(
        tmp_path,
        monai__losses__dice="class DiceLoss:\n    def __call__(self, a, b):\n        return (a * b).sum()\n",
        monai__train="import torch\nfrom torch import nn\nfrom monai.losses import DiceLoss\n"
        "loss = DiceLoss()(nn.Linear(3, 2)(torch.randn(4, 3)), torch.ones(4, 2))\n",
    )
    assert not report.findings


@pytest.mark.parametrize("loss", third_party.ALL, ids=lambda loss: loss.name)
def test_contract_of_a_record(loss: ExternalLoss) -> None:
    """No rule about torch's own losses may take it for one of them."""
    contract = as_contract(loss)
    assert contract.key == EXTERNAL
    assert contract.input_arg == loss.call_params[0]
    assert contract.target == b.ANY
    assert (contract.module or contract.function) == loss.name
    assert not contract.deprecated
    assert not contract.integer_target
