"""The paths of the command line to the files to look at.

Paths come out posix, as given and joined, in an order that does not depend on the file system.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter

from torchlosslint.finding import Skipped
from torchlosslint.sources.decode import SourceError, is_file
from torchlosslint.sources.exclude import Excluding
from torchlosslint.sources.listing import Listing, listing_of

_NEVER = {"__pycache__", "__pypackages__", "node_modules"}  # hidden folders go without being named here
# Left out unless they are packages: a package may well be called `dist`.
_OUTPUT = {"build": "build output", "dist": "build output", "site-packages": "installed packages"}
_ENVIRONMENT = frozenset(("pyvenv.cfg", "conda-meta"))


class DiscoveryError(Exception):
    """A path of the command line that cannot be linted at all; exit status 2."""


@dataclass(frozen=True, slots=True)
class Root:
    """A folder of the command line, or the folder of files named there, with the files to check.
    `path` is "." for the working directory. around: files that are read with them and not checked."""

    path: str
    files: tuple[str, ...]
    around: tuple[str, ...] = ()


@dataclass(slots=True)
class Discovery:
    """What there is to check. Every file is in one root, the first that has it.

    named: the files that the user named one by one. skipped: what was left out, with the
    reason. errors: what could not be read (the engine makes TLL001 of them). listings: names of the .py
    files and of the folders in the folders on the way, which need not be listed again.
    """

    roots: list[Root] = field(default_factory=list)
    named: set[str] = field(default_factory=set)
    skipped: list[Skipped] = field(default_factory=list)
    errors: list[SourceError] = field(default_factory=list)
    listings: dict[str, Listing] = field(default_factory=dict, compare=False)

    @property
    def files(self) -> list[str]:
        """All files, root after root."""
        return [file for root in self.roots for file in root.files]


def discover(
    paths: Iterable[str | os.PathLike[str]], excluding: Excluding | None = None, project: str = ""
) -> Discovery:
    """Find the Python files under `paths`; raises DiscoveryError for a path that is not there.

    What `excluding` gives a reason for is left out; a folder of the command line never is.
    project: a folder of which the files that are found are a part; they make one root with the rest of it.
    """
    found = Discovery()
    named = [os.fspath(path) for path in paths]
    given = [_posix(path) for path in named]
    if "" in named:
        raise DiscoveryError("a PATH is empty; for the working directory say .")
    missing = [path for path in given if not os.path.exists(path) and not is_file(path)]
    if missing:
        raise DiscoveryError("; ".join(f"no such file or folder: {path}" for path in missing))
    seen: set[str] = set()
    by_root: dict[str, list[str]] = {}
    for path in given:
        if os.path.isdir(path):
            failures = len(found.errors)
            if excluding is not None:
                excluding.enter(path)
            files = _walk(path, found, excluding)
            if not files and len(found.errors) == failures:
                found.skipped.append(Skipped(path, "no Python files in this folder"))
            if len(given) > 1:
                files = _fresh(files, seen)
            by_root.setdefault(path, []).extend(files)
        elif not is_file(path):
            raise DiscoveryError(f"neither a file nor a folder: {path}")
        elif (reason := _not_python(path)) or (excluding is not None and (reason := excluding.named(path))):
            found.skipped.append(Skipped(path, reason))
        else:
            found.named.add(path)
            by_root.setdefault(os.path.dirname(path) or ".", []).extend(_fresh([path], seen))
    found.roots = [Root(path, tuple(files)) for path, files in by_root.items() if files]
    if project:
        _join(found, _posix(project), excluding)
    return found


def _join(found: Discovery, project: str, excluding: Excluding | None) -> None:
    """Make one root of a folder and of all files found below it."""
    if not os.path.isdir(project):
        raise DiscoveryError(f"no such folder: {project}")
    if excluding is not None:
        excluding.enter(project)
    top = os.path.join(os.path.abspath(project), "")
    checked = {full: file for file in found.files if (full := os.path.abspath(file)).startswith(top)}
    if not checked:
        return
    # What is left out here was not asked for: no word about it.
    around = [f for f in _walk(project, Discovery(), excluding) if os.path.abspath(f) not in checked]
    apart = [
        Root(r.path, tuple(f for f in r.files if os.path.abspath(f) not in checked)) for r in found.roots
    ]
    whole = Root(project, tuple(checked.values()), tuple(around))
    found.roots = [whole, *(root for root in apart if root.files)]


def _posix(path: str) -> str:
    if os.sep != "/":
        path = path.replace(os.sep, "/")
    return path.rstrip("/") or path[:1] or "."


def _not_python(path: str) -> str:
    """Why a file that was named is left out, "" if it is not. A script needs no suffix."""
    suffix = os.path.splitext(path)[1].lower()
    return "" if suffix in ("", ".py", ".pyw", ".pyi", ".ipynb") else "not a Python file"


def _fresh(files: Iterable[str], seen: set[str]) -> list[str]:
    """Those of the files that no earlier path of the command line led to."""
    fresh = []
    folders: dict[str, str] = {}
    for file in files:
        name = file.rpartition("/")[2]
        folder = file[: len(file) - len(name)]
        if folder not in folders:
            folders[folder] = os.path.join(os.path.abspath(folder), "")
        key = folders[folder] + name
        if key not in seen:
            seen.add(key)
            fresh.append(file)
    return fresh


def _walk(root: str, found: Discovery, excluding: Excluding | None = None) -> list[str]:
    """The Python files below a folder, sorted. Links to folders are not followed, which is what
    makes loops harmless; a link to a file counts unless its target is below the root as well."""
    files: list[str] = []
    links: list[str] = []
    stack = [root]
    is_normal = os.path.normpath(root) == root
    while stack:
        folder = stack.pop()
        prefix = "" if folder == "." else folder if folder.endswith("/") else folder + "/"
        try:
            with os.scandir(folder) as entries:
                inside = sorted(entries, key=_name)
        except OSError as error:
            # A folder that vanished meanwhile has nothing to say; one that is closed to us does.
            if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
                reason = "no permission" if isinstance(error, PermissionError) else error.strerror
                found.errors.append(SourceError(folder, 1, 1, f"cannot read the folder: {reason}"))
            continue
        names = {entry.name for entry in inside}
        if is_normal:
            found.listings["" if folder == "." else folder] = listing_of(inside)
        if folder != root and (reason := _unwanted(folder.rpartition("/")[2], names)):
            found.skipped.append(Skipped(folder, reason))
            continue
        left_out = excluding.inside(folder, names) if excluding is not None else None
        below: list[str] = []
        for entry in inside:
            name = entry.name
            if name.startswith(".") or name in _NEVER:
                continue
            try:
                is_folder = entry.is_dir(follow_symlinks=False)
                is_program = name.endswith((".py", ".ipynb"))
                if left_out is not None and (is_folder or is_program):
                    if reason := left_out(prefix + name, is_folder):
                        found.skipped.append(Skipped(prefix + name, reason))
                        continue
                if is_program:
                    if entry.is_symlink():
                        links.append(prefix + name)
                        continue
                    if entry.is_file():
                        files.append(prefix + name)
                        continue
                if is_folder:
                    below.append(prefix + name)
            except OSError as error:
                found.errors.append(SourceError(prefix + name, 1, 1, f"cannot read: {error.strerror}"))
        stack.extend(reversed(below))
    if links:
        real = {os.path.realpath(file) for file in files}
        for link in links:
            target = os.path.realpath(link)
            if os.path.isfile(target) and target not in real:
                real.add(target)
                files.append(link)
            elif not os.path.exists(target):
                found.skipped.append(Skipped(link, "a link to a file that does not exist"))
    files.sort()
    return files


_name = attrgetter("name")


def _unwanted(name: str, inside: set[str]) -> str:
    """Why a folder below a root is left out, "" if it is not."""
    if not _ENVIRONMENT.isdisjoint(inside):
        return "virtual environment"
    return "" if "__init__.py" in inside else _OUTPUT.get(name, "")
