"""torchlosslint: finds the loss bugs of PyTorch programs without running them."""

from __future__ import annotations


def __getattr__(name: str) -> str:
    """The version is looked up when asked for, so that importing the package costs nothing."""
    if name == "__version__":
        from importlib.metadata import version

        return version("torchlosslint")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
