"""What each loss expects. Pure data; imports neither libcst nor torch."""

from torchlosslint.contracts.base import LossContract, Parameter, RawForm, Switch, wanted
from torchlosslint.contracts.registry import ALL, by_function, by_key, by_module

__all__ = [
    "ALL",
    "LossContract",
    "Parameter",
    "RawForm",
    "Switch",
    "by_function",
    "by_key",
    "by_module",
    "wanted",
]
