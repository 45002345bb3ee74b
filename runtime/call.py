"""One call of a loss: its contract, its arguments by name, its configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from torchlosslint.contracts import LossContract, base as b, wanted

INDEXED = frozenset({b.CLASS_INDEX, b.CLASS_INDEX_OR_PROBS})
ELEMENTWISE = frozenset({b.FLOAT_UNIT, b.FLOAT_SAME, b.PROBS, b.SIGN})
BY_SAMPLE = "cosine_embedding"  # its target lies beside one number a sample


@dataclass(slots=True)
class Call:
    """args: by parameter name; config: the other parameters, defaults included."""

    contract: LossContract
    name: str
    args: dict[str, Any]
    config: dict[str, Any]
    input: Any
    target: Any
    autocast: bool

    @property
    def key(self) -> str:
        return self.contract.key

    @property
    def class_dim(self) -> int | None:
        """Of the input, counted from 0; None where the loss works element by element."""
        dim, x = self.contract.class_dim, self.input
        if dim is None or not isinstance(x, torch.Tensor) or not x.dim():
            return None
        return x.dim() - 1 if dim < 0 else dim if x.dim() > dim else 0

    @property
    def classes(self) -> int | None:
        if self.contract.owns_layer:
            layer = self.args.get("linear_weight")
            if isinstance(layer, torch.Tensor):
                return int(layer.shape[0])
            known = self.config.get("n_classes", self.config.get("num_classes"))
            return known if isinstance(known, int) else None
        dim = self.class_dim
        return None if dim is None else int(self.input.shape[dim])

    @property
    def wants(self) -> str:
        """What the input must be, under this configuration."""
        return wanted(self.contract.input, self.contract.switches, self.config)

    @property
    def wants_target(self) -> str:
        return wanted(self.contract.target, self.contract.target_switches, self.config)

    def weights(self) -> list[tuple[str, str, Any]]:
        """(name, what its length must be, value) of the tensor parameters that are given."""
        given = [(p.name, p.length, self.config.get(p.name)) for p in self.contract.parameters]
        return [(name, length, value) for name, length, value in given if value is not None]


def bind(contract: LossContract, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
    """A call of an instance (`args` without it) or of the function (module None)."""
    names = contract.function_params if module is None else contract.forward_params
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    if module is None:
        first = contract.function_input_arg or contract.input_arg
        name, config = f"F.{contract.function.rpartition('.')[2]}", {**dict(contract.defaults), **given}
    else:
        first, name = contract.input_arg, contract.title
        config = {key: getattr(module, key, None) for key in contract.module_params}
    x = given.get(first)
    target = given.get(contract.target_arg) if contract.target_arg else None
    device = x.device.type if isinstance(x, torch.Tensor) else "cpu"
    return Call(contract, name, given, config, x, target, autocast_on(device))


def autocast_on(device: str) -> bool:
    """Whether autocast is enabled for this type of device."""
    try:
        return bool(torch.is_autocast_enabled(device))
    except (RuntimeError, TypeError):  # a device that has no autocast (meta)
        return False


def shape(tensor: torch.Tensor) -> str:
    """(64, 10), as people write it."""
    return str(tuple(tensor.shape))
