"""Linting from Python: `torchlosslint.lint`."""

from __future__ import annotations

import os
from collections.abc import Iterable

from torchlosslint import engine
from torchlosslint.config import Configuration, Settings
from torchlosslint.finding import Report
from torchlosslint.rule import load_rules

Path = str | os.PathLike[str]


def lint(paths: Path | Iterable[Path], settings: Settings | None = None) -> Report:
    """Lint files and folders, and return what was found.

    paths: one path or several, absolute or relative to the working directory. Findings name their files as
        these paths do.
    settings: what to look for, the same for all files; None: what the configuration files say, the nearest
        one for each file.

    Nothing is printed, written or cached, and no code of `paths` is run. Raises DiscoveryError for a path
    that does not exist, and ConfigError for a setting that cannot be had. A file that cannot be read or
    parsed raises nothing: it is a finding, TLL001. The report is plain data that can be pickled.
    """
    several = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    given = [os.fspath(path) for path in several]
    if settings is not None:
        return engine.lint(given, settings)
    configuration = Configuration(settings=Settings(no_cache=True), rules=load_rules())
    return engine.lint(given, configuration.of(""), configuration)
