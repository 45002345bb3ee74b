"""What of the findings in a file is worth a position, by its settings and its comments."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from torchlosslint.cache import digest
from torchlosslint.config import Configuration, Settings

_DEFAULT = Settings()


class View:
    """The configuration as the work on a part sees it. codes: of the rules that run. verbose: whether
    losses that could not be judged are listed."""

    def __init__(self, configuration: Configuration, codes: Iterable[str], verbose: bool) -> None:
        self.configuration = configuration
        self.codes = sorted(codes)
        self.verbose = verbose
        self.met = configuration.met()
        self.declared = [settings.declared for settings in self.met if settings.declared]
        self.words = tuple(
            sorted({loss.name.rsplit(".", 1)[-1].encode() for each in self.declared for loss in each.losses})
        )
        self.has_versions = any(settings.torch is not None for settings in self.met)
        # What concerns all files, wherever it is said.
        self.common = repr((self.codes, verbose, self.declared, self.has_versions))
        self._told: dict[tuple[Settings, bool], bytes] = {}
        self._quick: dict[tuple[int, bool], bytes] = {}  # the same by identity: settings are slow to compare

    def of(self, path: str) -> Settings:
        """The settings of a file."""
        return self.configuration.of_file(path)

    def roots(self, folder: str) -> tuple[str, ...]:
        """Further folders in which the files of a folder look up absolute imports."""
        return self.configuration.of(folder).roots

    def is_explicit(self, code: str, path: str) -> bool:
        """Whether the settings of a file ask for a rule by name."""
        return code in self.configuration.selection(self.of(path)).explicit

    def selects(self, code: str, path: str) -> bool:
        """Whether the settings of a file select a rule."""
        return code in self.configuration.selection(self.of(path))

    def told(self, path: str, worded: Collection[str]) -> bytes:
        """A digest of all that decides, besides its contents, what is found in a file. worded: the files
        that may have suppressions."""
        settings = self.of(path)  # which the configuration keeps
        quick = (id(settings), path in worded)
        known = self._quick.get(quick)
        if known is not None:
            return known
        key = (settings, path in worded)
        if key not in self._told:
            # What is left to the sieve, or concerns the printing, makes no difference here.
            plain = replace(
                settings,
                format=_DEFAULT.format,
                exit_zero=False,
                no_cache=False,
                jobs=1,
                profile=False,
                baseline="",
                source="",
                per_file_ignores=(),
                severities=(),
                exclude=(),
                force_exclude=False,
                respect_gitignore=True,
                fail_on="warning",
                require_reason=False,
            )
            self._told[key] = digest(repr(plain), self.common, str(path in worded))
        self._quick[quick] = known = self._told[key]
        return known


__all__ = ["View"]
