"""The activation layers of torch.nn that are mistaken for functions. Pure data.

Source: the signatures in the torch.nn documentation, held against torch by a test.
"""

from __future__ import annotations

# Qualified class -> the parameters of its constructor, in order. None of them takes a tensor.
ACTIVATIONS: dict[str, tuple[str, ...]] = {
    "torch.nn.Sigmoid": (),
    "torch.nn.LogSigmoid": (),
    "torch.nn.Tanh": (),
    "torch.nn.Softsign": (),
    "torch.nn.Softmax2d": (),
    "torch.nn.Softmax": ("dim",),
    "torch.nn.LogSoftmax": ("dim",),
    "torch.nn.Softmin": ("dim",),
    "torch.nn.ReLU": ("inplace",),
    "torch.nn.ReLU6": ("inplace",),
    "torch.nn.SELU": ("inplace",),
    "torch.nn.SiLU": ("inplace",),
    "torch.nn.Mish": ("inplace",),
    "torch.nn.Hardsigmoid": ("inplace",),
    "torch.nn.Hardswish": ("inplace",),
    "torch.nn.GELU": ("approximate",),
}
