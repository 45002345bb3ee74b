"""torchlosslint: finds the loss bugs of PyTorch programs without running them.

report = torchlosslint.lint("src")
for finding in report.findings:
    print(finding.location.path, finding.location.line, finding.code, finding.message)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torchlosslint.api import lint as lint
    from torchlosslint.config import ConfigError as ConfigError, Settings as Settings
    from torchlosslint.finding import (
        Finding as Finding,
        FlowStep as FlowStep,
        Location as Location,
        Report as Report,
    )
    from torchlosslint.sources.discovery import DiscoveryError as DiscoveryError

    __version__: str

__all__ = [
    "ConfigError",
    "DiscoveryError",
    "Finding",
    "FlowStep",
    "Location",
    "Report",
    "Settings",
    "lint",
]
# Where each name lives; looked up when it is asked for, so that importing the package costs nothing.
_HOMES = {
    "lint": "torchlosslint.api",
    "ConfigError": "torchlosslint.config",
    "Settings": "torchlosslint.config",
    "DiscoveryError": "torchlosslint.sources.discovery",
    "Finding": "torchlosslint.finding",
    "FlowStep": "torchlosslint.finding",
    "Location": "torchlosslint.finding",
    "Report": "torchlosslint.finding",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("torchlosslint")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
