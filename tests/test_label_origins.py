"""Labels are followed from where their classes are counted to the loss (TLL401)."""

from __future__ import annotations

from pathlib import Path

import pytest

from torchlosslint.config import Settings
from torchlosslint.engine import lint

HEAD = """
from collections import Counter
import sys

import numpy as np, pandas as pd, seaborn as sns, torch, torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset, random_split
from torchvision.datasets import GTSRB, ImageFolder, MNIST
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder
from library import load

model = nn.Linear(8, 3)
"""

# The classes of the very labels are counted, and that is all.
COUNTED = {
    "column": """
df = pd.read_csv("a.csv")
print(df.label.value_counts())
y = torch.tensor(df["label"].values)
F.cross_entropy(model(torch.randn(4, 8)), y).backward()
""",
    "cat": """
df = pd.read_csv("a.csv")
print(df["label"].value_counts())
df["label"] = df["label"].astype("category")
y = torch.tensor(df["label"].cat.codes.values).flatten()

F.cross_entropy(model(torch.randn(4, 8)), y[:100]).backward()
""",
    "encoder": """
df = pd.read_csv("a.csv")
df["label"].value_counts().plot(kind="bar")
y = LabelEncoder().fit_transform(df["label"])
a, b = train_test_split(y)

F.cross_entropy(model(torch.randn(4, 8)), torch.LongTensor(a)).backward()
""",
    "mapped": """
df = pd.read_csv("a.csv")
counts = df["label"].value_counts()
print(counts)
y = df["label"].map({"a": 0, "b": 1}).to_numpy()

F.cross_entropy(model(torch.randn(4, 8)), torch.from_numpy(y)).backward()
""",
    "unknown": """
x, y = load()
print(Counter(y))
x1, x2, y1, y2 = train_test_split(x, y)

F.cross_entropy(model(torch.randn(4, 8)), torch.tensor(y1).long()).backward()
""",
    "unknown_np": """
x, y = load()
unique, counts = np.unique(y, return_counts=True)
print(dict(zip(unique, counts)))
num_classes = len(unique)
y = np.array(y)

F.cross_entropy(model(torch.randn(4, 8)), torch.tensor(y).long()).backward()
""",
    "lists": """
labels = []
for line in open("f"):
    labels.append(int(line.split()[1]))
print(Counter(labels))
y = torch.tensor(labels)

F.cross_entropy(model(torch.randn(4, 8)), y.to("cuda")).backward()
""",
    "dataset": """
class D(Dataset):
    def __init__(self):
        df = pd.read_csv("x")
        self.y = df["y"].values
    def __getitem__(self, i):
        return torch.randn(8), self.y[i]
d = D()
print(Counter(d.y))
for x, y in DataLoader(d, batch_size=4):
    F.cross_entropy(model(x), y).backward()
""",
    "folder": """
d = ImageFolder("x")
print(Counter(d.targets))
a, b = random_split(d, [5, 5])
for x, y in DataLoader(a, batch_size=4):
    F.cross_entropy(model(x), y).backward()
""",
    "gtsrb": """
d = GTSRB("x", split="train")
for x, y in DataLoader(d, batch_size=4):
    F.cross_entropy(model(x), y).backward()
""",
    "unknown_frame": """
df = load()
print(df["y"].value_counts())
train, test = train_test_split(df)
y = torch.tensor(train["y"].values)

F.cross_entropy(model(torch.randn(4, 8)), y).backward()
""",
    "param": """
def train(x, y):
    print(np.bincount(y))
    F.cross_entropy(model(x), torch.as_tensor(y)).backward()
""",
    "seaborn": """
df = pd.read_csv("a.csv")
ax = sns.countplot(x="label", data=df)
y = df["label"].tolist()

F.cross_entropy(model(torch.randn(4, 8)), torch.tensor(y)).backward()
""",
}

# Other labels, or counts that are used, or classes that may have been balanced.
OTHERS = {
    "a print of the program's own": """
df = pd.read_csv("a.csv")
def print(counts):
    sampler_for(counts)
print(df.label.value_counts())
y = torch.tensor(df["label"].values)
F.cross_entropy(model(torch.randn(4, 8)), y).backward()
""",
    "mask": """
df = pd.read_csv("a.csv")
print(df.label.value_counts())
df = df[df["label"] > 2]
y = torch.tensor(df["label"].values)
F.cross_entropy(model(torch.randn(4, 8)), y).backward()
""",
    "merged": """
df = pd.read_csv("a.csv")
print(df["label"].value_counts())
df["label"] = df["label"].apply(lambda r: int(r > 2))
a, b = train_test_split(df)
y = torch.tensor(a["label"].values)
F.cross_entropy(model(torch.randn(4, 8)), y).backward()
""",
    "merged2": """
df = pd.read_csv("a.csv")
print(df["label"].value_counts())
df["label"] = df["label"].map({1: 0, 2: 0, 3: 1})
y = torch.tensor(df["label"].values)
F.cross_entropy(model(torch.randn(4, 8)), y).backward()
""",
    "loc": """
df = pd.read_csv("a.csv")
print(df["label"].value_counts())
df.loc[df["x"] > 3, "label"] = 1
y = torch.tensor(df["label"].values)
F.cross_entropy(model(torch.randn(4, 8)), y).backward()
""",
    "inplace": """
df = pd.read_csv("a.csv")
print(df["label"].value_counts())
df["label"].replace([1, 2], 1, inplace=True)
y = torch.tensor(df["label"].values)
F.cross_entropy(model(torch.randn(4, 8)), y).backward()
""",
    "smote": """
x, y = load()
print(Counter(y))
x, y = SMOTE().fit_resample(x, y)

F.cross_entropy(model(torch.randn(4, 8)), torch.tensor(y)).backward()
""",
    "maybe": """
x, y = load()
print(Counter(y))
if sys.argv[1]:
    x, y = over(x, y)

F.cross_entropy(model(torch.randn(4, 8)), torch.tensor(y)).backward()
""",
    "maybe2": """
x, y = load()
print(Counter(y))
if not sys.argv[1]:
    pass
else:
    x, y = over(x, y)

F.cross_entropy(model(torch.randn(4, 8)), torch.tensor(y)).backward()
""",
    "other": """
x, y = load()
u, v = load()
print(Counter(y))

F.cross_entropy(model(torch.randn(4, 8)), torch.tensor(v)).backward()
""",
    "extended": """
labels = list(load())
print(Counter(labels))
labels.extend(load())

F.cross_entropy(model(torch.randn(4, 8)), torch.tensor(labels)).backward()
""",
    "used": """
x, y = load()
counts = Counter(y)
print(counts)
prior = torch.tensor([counts[i] for i in range(3)])

F.cross_entropy(model(torch.randn(4, 8)), torch.tensor(y)).backward()
""",
    "used2": """
x, y = load()
counts = np.bincount(y)
model2 = build(counts)

F.cross_entropy(model(torch.randn(4, 8)), torch.tensor(y)).backward()
""",
    "unique": """
x, y = load()
print(np.unique(y))

F.cross_entropy(model(torch.randn(4, 8)), torch.tensor(y)).backward()
""",
    "picked": """
x, y = load()
print(Counter(y))
idx = choose(y)

F.cross_entropy(model(torch.randn(4, 8)), torch.tensor(y[idx])).backward()
""",
    "picked2": """
x, y = load()
y = np.array(y)
print(Counter(y))
idx = choose(y)

F.cross_entropy(model(torch.randn(4, 8)), torch.tensor(y[idx])).backward()
""",
    "binned": """
x, y = load()
y = torch.tensor(y)
print(torch.bincount(y))

F.cross_entropy(model(torch.randn(4, 8)), (y // 10)).backward()
""",
    "stored": """
x, y = load()
y = np.array(y)
print(np.bincount(y))
y[y == 2] = 1

F.cross_entropy(model(torch.randn(4, 8)), torch.tensor(y)).backward()
""",
    "stored2": """
x, y = load()
print(np.bincount(y))
y[y == 2] = 1

F.cross_entropy(model(torch.randn(4, 8)), torch.tensor(y)).backward()
""",
    "concat": """
df = pd.read_csv("a.csv")
print(df["y"].value_counts())
df = pd.concat([df[df.y == 0].sample(9), df[df.y == 1]])

F.cross_entropy(model(torch.randn(4, 8)), torch.tensor(df["y"].values)).backward()
""",
    "sampler": """
x, y = load()
print(Counter(y))
loader = DataLoader(TensorDataset(torch.randn(9, 8), torch.tensor(y)), sampler=Balanced(y))
for a, b in loader:
    F.cross_entropy(model(a), b).backward()
""",
    "words": """
w = open("x").read().split()
print(Counter(w))
ids = {t: i for i, t in enumerate(set(w))}
y = torch.tensor([ids[t] for t in w])

F.cross_entropy(model(torch.randn(4, 8)), y).backward()
""",
    "drop": """
df = pd.read_csv("a.csv")
print(df["y"].value_counts())
df = df.drop(df[df.y == 1].index[:50])

F.cross_entropy(model(torch.randn(4, 8)), torch.tensor(df["y"].values)).backward()
""",
    "well_known": """
d = MNIST("x")
y = torch.cat((d.targets, MNIST("y", train=False).targets))
print(Counter(y))
F.cross_entropy(model(torch.randn(4, 8)), torch.as_tensor(y)).backward()
""",
    "mnist": """
d = MNIST("x")
for x, y in DataLoader(d, batch_size=4):
    F.cross_entropy(model(x), y).backward()
""",
    "choice": """
x, y = load()
u, v = load()
print(Counter(y))
y = np.array(y)
v = np.array(v)
if sys.argv[1]:
    y = v
else:
    y = y

F.cross_entropy(model(torch.randn(4, 8)), torch.tensor(y)).backward()
""",
}


def severities(folder: Path, body: str) -> set[str]:
    path = folder / "train.py"
    path.write_text(HEAD + body)
    report = lint([str(path)], Settings(no_cache=True, select=("TLL401",)))
    assert report.findings
    return {finding.severity for finding in report.findings}


@pytest.mark.parametrize("name", COUNTED)
def test_counted_labels_without_weights_are_a_warning(tmp_path: Path, name: str) -> None:
    assert severities(tmp_path, COUNTED[name]) == {"warning"}


@pytest.mark.parametrize("name", OTHERS)
def test_without_evidence_it_stays_a_note(tmp_path: Path, name: str) -> None:
    assert severities(tmp_path, OTHERS[name]) == {"note"}
