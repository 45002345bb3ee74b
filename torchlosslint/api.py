"""Linting from Python: `torchlosslint.lint`."""

from __future__ import annotations

import os
from collections.abc import Iterable

from torchlosslint import engine
from torchlosslint.config import Settings
from torchlosslint.finding import Report

Path = str | os.PathLike[str]


def lint(paths: Path | Iterable[Path], settings: Settings | None = None) -> Report:
    """Lint files and folders, and return what was found.

    paths: one path or several, absolute or relative to the working directory. Findings name their files as
        these paths do.
    settings: what to look for, the same for all files.

    Nothing is printed, written or cached, and no code of `paths` is run. Raises DiscoveryError for a path
    that does not exist, and ConfigError for a setting that cannot be had. A file that cannot be read or
    parsed raises nothing: it is a finding, TLL001. The report is plain data that can be pickled.
    """
    several = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    return engine.lint([os.fspath(path) for path in several], settings or Settings(no_cache=True))
