"""Files and flags to one frozen `Settings` for each linted file, and selectors to sets of codes."""

from torchlosslint.config.configuration import Configuration
from torchlosslint.config.errors import ConfigError, nearest
from torchlosslint.config.selection import ALWAYS, Selection, find_rule, selection, split
from torchlosslint.config.settings import Settings

__all__ = [
    "ALWAYS",
    "ConfigError",
    "Configuration",
    "Selection",
    "Settings",
    "find_rule",
    "nearest",
    "selection",
    "split",
]
