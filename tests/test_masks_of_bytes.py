"""Masks with 255 in them as targets of binary cross-entropy (TLL306)."""

from __future__ import annotations

from pathlib import Path

import pytest

from torchlosslint.config import Settings
from torchlosslint.engine import lint

HEAD = """
import numpy as np, torch, torch.nn.functional as F, cv2
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 1))
x = torch.randn(2, 3, 8, 8)
bce = nn.BCEWithLogitsLoss()
"""

WRONG = {
    "zeros": """
mask = np.zeros((8, 8))
mask[2:4, 2:4] = 255
bce(model(x), torch.from_numpy(mask).float())
""",
    "where": """
mask = np.where(np.array(Image.open("a")) > 0, 255, 0)
bce(model(x), torch.from_numpy(mask).float())
""",
    "times": """
mask = (np.array(Image.open("a")) > 0).astype(np.uint8) * 255
bce(model(x), torch.from_numpy(mask).float())
""",
    "threshold": """
_, mask = cv2.threshold(cv2.imread("a", 0), 127, 255, cv2.THRESH_BINARY)
bce(model(x), torch.from_numpy(mask).float())
""",
    "twhere": """
bce(model(x), torch.where(x[:, :1] > 0, 255.0, 0.0))
""",
    "dataset": """
class D(Dataset):
    def __getitem__(self, i):
        mask = np.zeros((1, 8, 8), dtype=np.float32)
        mask[:, 2:5] = 255
        return torch.randn(3, 8, 8), torch.from_numpy(mask)
for a, b in DataLoader(D(), batch_size=2):
    bce(model(a), b).backward()
""",
    "dataset2": """
class D(Dataset):
    def __getitem__(self, i):
        m = np.array(Image.open("a").convert("L"))
        m = np.where(m > 100, 255, 0)
        return torch.randn(3, 8, 8), torch.from_numpy(m).unsqueeze(0).float()
for a, b in DataLoader(D(), batch_size=2):
    bce(model(a), b.cuda()).backward()
""",
}

RIGHT = {
    "read": """
mask = np.array(Image.open("a"))
bce(model(x), torch.from_numpy(mask)[None, None].float())
""",
    "read2": """
mask = cv2.imread("a", 0)
bce(model(x), torch.from_numpy(mask)[None, None].float())
""",
    "divided": """
mask = np.zeros((8, 8))
mask[2:4, 2:4] = 255
mask = mask / 255
bce(model(x), torch.from_numpy(mask)[None, None].float())
""",
    "divided2": """
mask = np.zeros((8, 8))
mask[2:4, 2:4] = 255
mask /= 255.0
bce(model(x), torch.from_numpy(mask)[None, None].float())
""",
    "divided3": """
mask = np.zeros((8, 8))
mask[2:4, 2:4] = 255
bce(model(x), torch.from_numpy(mask).float().div(255))
""",
    "divided4": """
mask = np.zeros((8, 8))
mask[2:4, 2:4] = 255
bce(model(x), torch.from_numpy(mask).float().div_(255))
""",
    "compared": """
mask = np.where(np.array(Image.open("a")) > 0, 255, 0)
mask = (mask == 255).astype(np.float32)
bce(model(x), torch.from_numpy(mask)[None, None].float())
""",
    "rewritten": """
mask = np.zeros((8, 8))
mask[2:4, 2:4] = 255
mask[mask == 255] = 1
bce(model(x), torch.from_numpy(mask)[None, None].float())
""",
    "ignored": """
mask = np.zeros((8, 8))
mask[2:4, 2:4] = 255
t = torch.from_numpy(mask).float()
bce(model(x)[t != 255], t[t != 255])
""",
    "unreduced": """
mask = np.zeros((8, 8))
mask[2:4, 2:4] = 255
t = torch.from_numpy(mask).float()
(F.binary_cross_entropy_with_logits(model(x), t, reduction="none") * (t != 255)).mean()
""",
    "totensor": """
from torchvision import transforms
mask = np.zeros((8, 8), dtype=np.uint8)
mask[2:4, 2:4] = 255
bce(model(x), transforms.ToTensor()(mask))
""",
    "totensor2": """
from torchvision.transforms import functional as TF
mask = np.zeros((8, 8), dtype=np.uint8)
mask[2:4, 2:4] = 255
bce(model(x), TF.to_tensor(mask))
""",
    "fromarray": """
from torchvision import transforms
mask = np.zeros((8, 8), dtype=np.uint8)
mask[2:4, 2:4] = 255
bce(model(x), transforms.ToTensor()(Image.fromarray(mask)))
""",
    "ones": """
mask = np.zeros((8, 8))
mask[2:4, 2:4] = 1
bce(model(x), torch.from_numpy(mask)[None, None].float())
""",
    "where": """
mask = np.where(np.array(Image.open("a")) > 0, 1, 0)
bce(model(x), torch.from_numpy(mask)[None, None].float())
""",
    "clamp": """
mask = np.zeros((8, 8))
mask[2:4, 2:4] = 255
bce(model(x), torch.from_numpy(mask).clamp(0, 1))
""",
    "clip": """
mask = np.zeros((8, 8))
mask[2:4, 2:4] = 255
mask = np.clip(mask, 0, 1)
bce(model(x), torch.from_numpy(mask)[None, None].float())
""",
    "boolean": """
mask = np.zeros((8, 8))
mask[2:4, 2:4] = 255
bce(model(x), torch.from_numpy(mask.astype(bool)).float())
""",
    "boolean2": """
mask = np.zeros((8, 8))
mask[2:4, 2:4] = 255
bce(model(x), torch.from_numpy(mask).bool().float())
""",
    "maxed": """
mask = np.zeros((8, 8))
mask[2:4, 2:4] = 255
mask = mask / mask.max()
bce(model(x), torch.from_numpy(mask)[None, None].float())
""",
    "cross": """
mask = np.zeros((2, 8, 8), dtype=np.int64)
mask[:, 2:4, 2:4] = 255
F.cross_entropy(model(x), torch.from_numpy(mask), ignore_index=255)
""",
    "sign": """
mask = np.zeros((8, 8))
mask[2:4, 2:4] = 255
bce(model(x), torch.sign(torch.from_numpy(mask)))
""",
    "minimum": """
mask = np.zeros((8, 8))
mask[2:4, 2:4] = 255
mask = np.minimum(mask, 1)
bce(model(x), torch.from_numpy(mask)[None, None].float())
""",
    "inverted": """
mask = np.zeros((8, 8))
mask[2:4, 2:4] = 255
mask = np.floor_divide(mask, 255)
bce(model(x), torch.from_numpy(mask)[None, None].float())
""",
    "shifted": """
mask = np.zeros((8, 8))
mask[2:4, 2:4] = 255
mask = mask.astype(np.uint8) // 255
bce(model(x), torch.from_numpy(mask)[None, None].float())
""",
    "mod": """
mask = np.zeros((8, 8))
mask[2:4, 2:4] = 255
mask = mask.astype(np.uint8) & 1
bce(model(x), torch.from_numpy(mask)[None, None].float())
""",
}


def count(folder: Path, body: str) -> int:
    path = folder / "train.py"
    path.write_text(HEAD + body)
    return len(lint([str(path)], Settings(no_cache=True, select=("TLL306",))).findings)


@pytest.mark.parametrize("name", WRONG)
def test_a_mask_with_255_in_it_is_told(tmp_path: Path, name: str) -> None:
    assert count(tmp_path, WRONG[name]) == 1


@pytest.mark.parametrize("name", RIGHT)
def test_a_mask_that_may_be_zeros_and_ones(tmp_path: Path, name: str) -> None:
    assert count(tmp_path, RIGHT[name]) == 0
