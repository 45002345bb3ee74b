"""Which files and folders are left out: by patterns of a configuration, and by git's own."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import lru_cache
from typing import Protocol

from torchlosslint.patterns import refused

# Of an entry's path, and whether it is a folder: why it is left out, "" if it is not.
Reason = Callable[[str, bool], str]
Rows = tuple[tuple[str, tuple[str, ...]], ...]


class Excluding(Protocol):
    """What discovery asks of each file and folder."""

    def enter(self, root: str) -> None:
        """A folder of the command line is looked at now."""

    def inside(self, folder: str, names: Collection[str]) -> Reason | None:
        """What tells of the entries of a folder below the root why they are left out; None where none is.
        names: of all entries."""

    def named(self, path: str) -> str:
        """The same for a file that the user named."""


class Matcher:
    """Patterns as in a .gitignore, relative to a folder (absolute). Those that cannot be used say nothing,
    as they do in git."""

    def __init__(self, folder: str, patterns: tuple[str, ...]) -> None:
        from pathspec import GitIgnoreSpec

        self.prefix = folder.replace(os.sep, "/").rstrip("/") + "/"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.spec = GitIgnoreSpec.from_lines(p for p in patterns if not refused(p))
        # One expression for all: nearly every path matches none of the patterns.
        found = [getattr(pattern, "regex", None) for pattern in self.spec.patterns]
        parts = [regex.pattern for regex in found if regex is not None]
        union = "|".join(f"(?:{re.sub(r'[?]P<[^>]*>', '?:', part)})" for part in parts)
        self.quick = re.compile(union) if parts else None

    def check(self, path: str, is_folder: bool = False) -> bool | None:
        """True: left out. False: a pattern with `!` takes it in again. None: nothing is said."""
        if self.quick is None or not path.startswith(self.prefix):
            return None
        below = path[len(self.prefix) :] + ("/" if is_folder else "")
        if not below or self.quick.match(below) is None:
            return None
        return self.spec.check_file(below).include


@lru_cache(maxsize=1024)
def matcher(folder: str, patterns: tuple[str, ...]) -> Matcher:
    """A Matcher, made once."""
    return Matcher(folder, patterns)


class Exclusion:
    """Asks the patterns of the configuration of each folder, then git's.

    patterns: for a folder, folders (absolute) with their patterns. git: whether git's count there.
    force: whether files that the user named are asked about as well.
    """

    def __init__(
        self, patterns: Callable[[str], Rows], git: Callable[[str], bool], force: Callable[[str], bool]
    ) -> None:
        self.patterns = patterns
        self.git = git
        self.force = force
        self._chains: dict[str, tuple[Matcher, ...] | None] = {}  # None: in no repository
        self._root = (".", os.getcwd())  # the one that is looked at, as it is given and absolute
        self._off = (False, False)  # whether the root is itself what either would leave out

    def enter(self, root: str) -> None:
        """A folder of the command line is linted although it is excluded itself, or ignored by git:
        what leaves it out does not count below it."""
        folder = os.path.abspath(root)
        self._root = (root, folder)
        if os.path.dirname(folder) != folder:
            own = [matcher(*row) for row in self.patterns(root)]
            out = _says(own, _posix(folder), True)
            git = self.git(root) and _says(self._chain(os.path.dirname(folder)), _posix(folder), True)
            self._off = (out, git)

    def inside(self, folder: str, names: Collection[str]) -> Reason | None:
        """See Excluding."""
        own = () if self._off[0] else [matcher(*row) for row in self.patterns(folder)]
        git: Sequence[Matcher] = ()
        if self.git(folder) and not self._off[1]:
            git = self._chain(self._absolute(folder), names)
        if not own and not git:
            return None

        def reason(path: str, is_folder: bool) -> str:
            full = _posix(os.path.abspath(path))
            if _says(own, full, is_folder):
                return "excluded by the configuration"
            return "ignored by git" if _says(git, full, is_folder) else ""

        return reason

    def _absolute(self, folder: str) -> str:
        """A folder below the root, absolute: of thousands of folders, each is quick."""
        root, top = self._root
        if os.sep != "/" or top == "/":
            return os.path.abspath(folder)
        if folder == root:
            return top
        return f"{top}/{folder}" if root == "." else top + folder[len(root) :]

    def named(self, path: str) -> str:
        """Why a file that the user named is left out, "" if it is not."""
        folder = os.path.dirname(path)
        return self.excluded(path) if self.force(folder) else ""

    def excluded(self, path: str) -> str:
        """Whether the configuration leaves out a file, or a folder above it."""
        own = [matcher(*row) for row in self.patterns(os.path.dirname(path))]
        out = bool(own) and _says(own, _posix(os.path.abspath(path)), False)
        return "excluded by the configuration" if out else ""

    def _chain(self, folder: str, names: Collection[str] | None = None) -> tuple[Matcher, ...]:
        """The .gitignore files from the repository's top down to a folder; none outside a repository.
        names: what is in the folder, where that is known."""
        if names is not None and ".git" not in names and folder not in self._chains:
            parent = os.path.dirname(folder)
            if parent in self._chains:  # the usual case of a walk, without a word to the file system
                known = self._chains[parent]
                if known is not None and ".gitignore" in names:
                    known = (*known, *_matchers(folder, os.path.join(folder, ".gitignore")))
                self._chains[folder] = known
        climbed: list[str] = []
        known = None
        while True:
            if folder in self._chains:
                known = self._chains[folder]
                break
            climbed.append(folder)
            if os.path.exists(os.path.join(folder, ".git")):
                known = _matchers(folder, os.path.join(folder, ".git", "info", "exclude"))
                break
            parent = os.path.dirname(folder)
            if parent == folder:
                break
            folder = parent
        for each in reversed(climbed):
            if known is not None:
                known = (*known, *_matchers(each, os.path.join(each, ".gitignore")))
            self._chains[each] = known
        return known or ()


def _matchers(folder: str, name: str) -> tuple[Matcher, ...]:
    """The matcher of a file of patterns, none where it has none."""
    lines = _lines(name)
    return (matcher(folder, lines),) if lines else ()


def _says(matchers: Iterable[Matcher], path: str, is_folder: bool) -> bool:
    """What the last of the matchers that says something says."""
    verdict = False
    for each in matchers:
        said = each.check(path, is_folder)
        verdict = verdict if said is None else said
    return verdict


@lru_cache(maxsize=4096)
def _lines(path: str) -> tuple[str, ...]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return tuple(line.rstrip("\n") for line in file if line.strip() and not line.startswith("#"))
    except OSError:
        return ()


def _posix(path: str) -> str:
    return path if os.sep == "/" else path.replace(os.sep, "/")
