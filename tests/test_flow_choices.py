"""Objects that an option chooses among, and names that are bound anew: what meets what.

As in test_flow_programs: each `# TLLnnn` comment is a finding, and there are no others.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from test_flow_programs import checked, programs

OPTIONS = """
import argparse
from torchvision import models
parser = argparse.ArgumentParser()
parser.add_argument("--arch")
parser.add_argument("--fine", action="store_true")
args = parser.parse_args()
images = torch.randn(2, 3, 64, 64)


def log_head(width):
    return nn.Sequential(nn.Linear(width, 10), nn.LogSoftmax(dim=1))

"""


@programs(
    families_by_the_beginning_of_a_name="""
        net = {"vgg16": models.vgg16(), "resnet18": models.resnet18()}[args.arch]
        if args.arch.startswith("vgg"):
            net.classifier = log_head(25088)
        else:
            net.fc = log_head(512)
        F.nll_loss(net(images), y)
        """,
    families_by_a_part_of_a_name="""
        if args.arch == "wide_resnet50_2":
            net = models.wide_resnet50_2()
        elif args.arch == "vgg16_bn":
            net = models.vgg16_bn()
        else:
            raise SystemExit
        if "resnet" in args.arch:
            net.fc = log_head(2048)
        elif "resnet" not in args.arch and args.arch.endswith("_bn"):
            net.classifier[6] = log_head(4096)
        F.nll_loss(net(images), y)
        """,
    the_other_family_keeps_its_head="""
        net = {"vgg16": models.vgg16(), "resnet18": models.resnet18()}[args.arch]
        if args.arch.startswith("resnet"):
            net.fc = log_head(512)
        F.nll_loss(net(images), y)  # TLL110
        """,
    a_default_that_is_of_a_family="""
        arch = args.arch if args.arch is not None else "vgg16"
        net = {"vgg16": models.vgg16(), "resnet18": models.resnet18()}.get(arch)
        if arch.startswith("vgg"):
            width = net.classifier[0].weight.shape[1]
            net.classifier = log_head(width)
        else:
            width = net.fc.weight.shape[1]
            net.fc = log_head(width)
        F.nll_loss(net.forward(images), y)
        """,
    any_network_of_a_library_with_a_head_put_in="""
        def build(name):
            net = getattr(models, name)(pretrained=True)
            for p in net.parameters():
                p.requires_grad = False
            return net
        net = build(args.arch)
        net.classifier = log_head(25088)
        F.nll_loss(net.forward(images), y)
        other = build(args.arch)
        other.classifier[6] = log_head(4096)
        F.nll_loss(other(images), y)
        third = build(args.arch)
        F.nll_loss(third(images), y)  # TLL110
        fourth = build(args.arch)
        fourth.fc = nn.Sequential(nn.Linear(512, 10), nn.Softmax(dim=1))
        F.cross_entropy(fourth(images), y)  # TLL101
        """,
    written_on_one_of_two="""
        first, second = Raw(), Raw()
        first.last = second.last = None
        chosen = first if args.fine else second
        chosen.last = nn.Softmax(dim=1)
        out = first.fc(x) if first.last is None else first.last(first.fc(x))
        if not args.fine:
            F.cross_entropy(out, y)
        else:
            F.cross_entropy(out, y)  # TLL101
        """,
)
def test_what_an_option_chooses(tmp_path: Path, body: str) -> None:
    checked(tmp_path, OPTIONS + dedent(body))


@programs(
    a_class_that_is_replaced_later="""
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(8, 1)
            def forward(self, x):
                return torch.sigmoid(self.fc(x))
        class Wrap(nn.Module):
            def __init__(self):
                super().__init__()
                self.net = Net()
            def training_step(self, batch):
                return F.binary_cross_entropy(self.net(batch[0]), batch[1])
        elsewhere(Wrap)
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(8, 1)
            def forward(self, x):
                return self.fc(x)
        """,
    a_class_that_replaced_another_before="""
        class Net(Raw):
            pass
        class Net(Soft):
            pass
        class Wrap(nn.Module):
            def __init__(self):
                super().__init__()
                self.net = Net()
            def training_step(self, batch):
                return F.cross_entropy(self.net(batch[0]), batch[1])  # TLL101
        """,
    what_is_called_is_followed_whatever_comes_later="""
        class Net(Soft):
            pass
        def train():
            F.cross_entropy(Net()(x), y)  # TLL101
        train()
        class Net(Raw):
            pass
        """,
)
def test_names_that_are_bound_again(tmp_path: Path, body: str) -> None:
    checked(tmp_path, body)


@pytest.mark.parametrize(
    ("question", "known", "answer"),
    [
        ("startswith", "vgg16", True),
        ("startswith", "resnet", False),
        ("endswith", "net_bn", False),
        ("contains", "a vgg net", True),
        ("contains", 3, None),
    ],
)
def test_questions_about_a_text_agree_with_what_it_is(
    question: str, known: str | int, answer: bool | None
) -> None:
    from torchlosslint.flow.facts import compatible, disjoin, equals
    from torchlosslint.flow.values import Unknown

    value = Unknown("an option", ("option",), True)
    equal = equals(value, known, True)
    one_of = disjoin([equal, equals(value, 4.5, True)])
    for polarity in (True, False):
        asked = frozenset(((("C", ("option",)), (question, "vgg"), polarity),))
        wanted = answer is None or answer is polarity
        assert compatible(asked, equal) is compatible(equal, asked) is wanted
        assert compatible(asked, one_of)  # of the number nothing is known
