"""Weights on the CPU beside a network on an accelerator (TLL403)."""

from __future__ import annotations

from pathlib import Path

import pytest

from torchlosslint.config import Settings
from torchlosslint.engine import lint

HEAD = """
import numpy as np, torch, torch.nn.functional as F
from torch import nn
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
x, y = torch.randn(4, 8), torch.tensor([0, 1, 2, 1])
weight = torch.tensor([0.2, 0.3, 0.5])
args = parse()
"""

WRONG = {
    "chosen": """
device = "cuda" if torch.cuda.is_available() else "cpu"
model.to(device)
F.cross_entropy(model(x.to(device)), y.to(device), weight=weight)
""",
    "cuda": """
model = model.cuda()
criterion = nn.CrossEntropyLoss(weight=weight)
criterion(model(x.cuda()), y.cuda()).backward()
""",
    "branch": """
if torch.cuda.is_available():
    device = torch.device("cuda:0")
else:
    device = torch.device("cpu")
model = nn.DataParallel(model).to(device)
criterion = nn.CrossEntropyLoss(weight=1 / weight)
criterion(model(x.to(device)), y.to(device)).backward()
""",
    "conditional": """
if torch.cuda.is_available():
    model.cuda()
    x, y = x.cuda(), y.cuda()
nn.CrossEntropyLoss(weight=torch.FloatTensor([1, 2, 3]))(model(x), y).backward()
""",
    "numbers": """
device = torch.device("cuda")
model.to(device)
t = torch.zeros(4, 3).to(device)
F.binary_cross_entropy_with_logits(model(x.to(device)), t, pos_weight=torch.ones(3))
""",
    "late": """
model.cuda()
model.criterion = nn.CrossEntropyLoss(weight=weight)
model.criterion(model(x.cuda()), y.cuda()).backward()
""",
}

RIGHT = {
    "criterion": """
device = "cuda" if torch.cuda.is_available() else "cpu"
model.to(device)
criterion = nn.CrossEntropyLoss(weight=weight).to(device)
criterion(model(x.to(device)), y.to(device)).backward()
""",
    "criterion2": """
model.cuda()
criterion = nn.CrossEntropyLoss(weight=weight)
criterion.cuda()
criterion(model(x.cuda()), y.cuda()).backward()
""",
    "weight": """
model.cuda()
criterion = nn.CrossEntropyLoss(weight=weight.cuda())
criterion(model(x.cuda()), y.cuda()).backward()
""",
    "made_there": """
device = torch.device("cuda")
model.to(device)
F.cross_entropy(model(x.to(device)), y.to(device), weight=torch.ones(3, device=device))
""",
    "option": """
model.to(args.device)
F.cross_entropy(model(x), y, weight=weight)
""",
    "cpu": """
model.to("cpu")
F.cross_entropy(model(x), y, weight=weight)
""",
    "back": """
model.cuda()
out = model(x.cuda()).cpu()
F.cross_entropy(out, y, weight=weight)
""",
    "back2": """
model.cuda()
out = model(x.cuda()).to(y.device)
F.cross_entropy(out, y, weight=weight)
""",
    "both": """
if torch.cuda.is_available():
    model.cuda()
    criterion = nn.CrossEntropyLoss(weight=weight.cuda())
else:
    criterion = nn.CrossEntropyLoss(weight=weight)
criterion(model(x), y).backward()
""",
    "both2": """
cuda = torch.cuda.is_available()
model.to("cuda" if cuda else "cpu")
if cuda:
    weight = weight.cuda()
F.cross_entropy(model(x), y, weight=weight)
""",
    "both3": """
cuda = torch.cuda.is_available()
if cuda:
    model.cuda()
if not cuda:
    F.cross_entropy(model(x), y, weight=weight)
""",
    "option2": """
if args.gpu:
    model.cuda()
    criterion = nn.CrossEntropyLoss(weight=weight.cuda())
else:
    criterion = nn.CrossEntropyLoss(weight=weight)
criterion(model(x), y).backward()
""",
    "inside": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 3)
        self.loss = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0]))
    def forward(self, x, y):
        return self.loss(self.fc(x), y)
net = Net().cuda()
net(x.cuda(), y.cuda()).backward()
""",
    "buffer": """
class Loss(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.register_buffer("w", w)
    def forward(self, x, y):
        return F.cross_entropy(x, y, weight=self.w)
model.cuda()
criterion = Loss(weight).cuda()
criterion(model(x.cuda()), y.cuda()).backward()
""",
    "default": """
torch.set_default_device("cuda")
model.cuda()
F.cross_entropy(model(x), y, weight=torch.ones(3))
""",
    "context": """
with torch.device("cuda"):
    w = torch.ones(3)
model.cuda()
F.cross_entropy(model(x), y, weight=w)
""",
    "like": """
model.cuda()
out = model(x.cuda())
F.cross_entropy(out, y.cuda(), weight=torch.ones_like(out[0]))
F.cross_entropy(out, y.cuda(), weight=out.new_ones(3))
""",
    "cudatensor": """
model.cuda()
F.cross_entropy(model(x.cuda()), y.cuda(), weight=torch.cuda.FloatTensor([1, 2, 3]))
""",
    "scalar": """
model.cuda()
F.binary_cross_entropy_with_logits(model(x.cuda()), torch.zeros(4, 3).cuda(), pos_weight=torch.tensor(3.0))
""",
    "astype": """
model.cuda()
out = model(x.cuda())
F.cross_entropy(out, y.cuda(), weight=weight.to(out))
F.cross_entropy(out, y.cuda(), weight=weight.type_as(out))
""",
    "typed": """
model.cuda()
F.cross_entropy(model(x.cuda()), y.cuda(), weight=weight.type("torch.cuda.FloatTensor"))
""",
}


def count(folder: Path, body: str) -> int:
    path = folder / "train.py"
    path.write_text(HEAD + body)
    return len(lint([str(path)], Settings(no_cache=True, select=("TLL403",))).findings)


@pytest.mark.parametrize("name", WRONG)
def test_weights_that_stay_on_the_cpu_are_told(tmp_path: Path, name: str) -> None:
    assert count(tmp_path, WRONG[name]) == 1


@pytest.mark.parametrize("name", RIGHT)
def test_weights_that_may_be_where_the_scores_are(tmp_path: Path, name: str) -> None:
    assert count(tmp_path, RIGHT[name]) == 0
