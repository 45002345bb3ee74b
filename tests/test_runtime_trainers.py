# mypy: disable-error-code="no-untyped-call"
"""Trainers of other packages run unchanged under the guard, which sees their losses. Skipped where missing.

Last run with lightning and pytorch-lightning 2.6.6, transformers 5.23.0, accelerate 1.15.0.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from torchlosslint.runtime import findings, guarded

pytestmark = pytest.mark.filterwarnings("ignore")
Train = Callable[[bool], tuple[list[float], int]]


def batches() -> Any:
    return DataLoader(TensorDataset(torch.randn(32, 4), torch.randint(0, 3, (32,))), batch_size=8)


def network(wrong: bool) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=1)) if wrong else nn.Linear(4, 3)


def by_lightning(package: str) -> Train:
    def train(wrong: bool) -> tuple[list[float], int]:
        lightning = importlib.import_module(package)

        class Module(lightning.LightningModule):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                super().__init__()
                self.net, self.criterion = network(wrong), nn.CrossEntropyLoss()

            def training_step(self, batch: Any, index: int) -> Any:
                return self.criterion(self.net(batch[0]), batch[1])

            def validation_step(self, batch: Any, index: int) -> None:
                self.log("loss", F.cross_entropy(self.net(batch[0]), batch[1]))

            def configure_optimizers(self) -> Any:
                return torch.optim.SGD(self.parameters(), lr=0.1)

        trainer = lightning.Trainer(
            max_epochs=2,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        module = Module()
        trainer.fit(module, batches(), batches())
        weights = [float(p.sum()) for p in module.parameters()]
        return [*weights, float(trainer.callback_metrics["loss"])], 16

    return train


def by_transformers(folder: Path) -> Train:
    def train(wrong: bool) -> tuple[list[float], int]:
        transformers = pytest.importorskip("transformers")
        pytest.importorskip("accelerate")

        class Model(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.net = network(wrong)

            def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
                scores = self.net(x)
                return {"loss": F.cross_entropy(scores, labels), "logits": scores}

        options = transformers.TrainingArguments(
            output_dir=str(folder),
            per_device_train_batch_size=8,
            per_device_eval_batch_size=8,
            num_train_epochs=2,
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            use_cpu=True,
            disable_tqdm=True,
        )
        data = [{"x": torch.randn(4), "labels": torch.tensor(i % 3)} for i in range(32)]
        trainer = transformers.Trainer(Model(), options, train_dataset=data, eval_dataset=data)
        return [trainer.train().training_loss, trainer.evaluate()["eval_loss"]], 12

    return train


def by_accelerate(wrong: bool) -> tuple[list[float], int]:
    accelerate = pytest.importorskip("accelerate")
    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=2)
    model = network(wrong)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model, optimizer, data = accelerator.prepare(model, optimizer, batches())
    criterion = nn.CrossEntropyLoss()
    for x, y in data:
        with accelerator.accumulate(model):
            loss = criterion(model(x), y)
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
    return [float(p.sum()) for p in model.parameters()], 4


@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning", "transformers", "accelerate"])
def test_a_trainer_does_what_it_does_without_the_guard(package: str, tmp_path: Path) -> None:
    pytest.importorskip(package)
    makers: dict[str, Train] = {"transformers": by_transformers(tmp_path), "accelerate": by_accelerate}
    train = makers.get(package) or by_lightning(package)
    torch.manual_seed(0)
    plain, calls = train(False)
    torch.manual_seed(0)
    with guarded(lambda finding: None) as right:
        assert train(False)[0] == plain
    assert [str(f) for f in right.findings] == []
    assert sum(site.calls for site in right.sites.values()) == calls
    with guarded(lambda finding: None) as wrong:
        train(True)
    assert {f.code for f in wrong.findings} == {"TLL101"}
    assert {f.path for f in wrong.findings} == {__file__}
    assert findings.broken() == []
