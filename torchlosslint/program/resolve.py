"""Import names to files: the script's folder, the argument, `src/`, further roots, in that order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

from torchlosslint.sources.listing import Listing, listing
from torchlosslint.sources.screen import ImportEdge


class Resolver:
    """Looks modules up below given roots, with one listing a folder; reads nothing else.

    further: for the folder of an importing file, more roots, which come last. listings: what is known to
    be in folders.
    """

    def __init__(
        self,
        roots: Iterable[str],
        further: Callable[[str], Iterable[str]] | None = None,
        listings: Mapping[str, Listing] | None = None,
    ) -> None:
        self.roots: list[str] = []
        self.further = further
        for root in roots:
            root = _normal(root)
            # An argument inside a package: absolute imports start above the outermost package.
            top = root
            while os.path.isfile(os.path.join(top, "__init__.py")):
                top = (
                    _normal(os.path.join(top, os.pardir)) if not os.path.isabs(top) else os.path.dirname(top)
                )
            for folder in (root, os.path.join(root, "src"), top):
                if folder not in self.roots:
                    self.roots.append(folder)
        # What was looked up since `recording`: folder and name ("." the folder itself), and the kind of
        # what is there: "f" a file, "p" a package, "n" a folder without __init__.py, "" nothing.
        self.asked: dict[tuple[str, str], str] | None = None
        self._known = listings or {}
        self._listings: dict[str, Listing] = {}  # of the folders in which something was looked up
        self._children: dict[tuple[str, str], tuple[str, bool] | None] = {}
        self._folders: dict[str, str] = {}
        self._found: dict[tuple[str, str], tuple[str, bool] | None] = {}
        self._rooted: dict[tuple[str, tuple[str, ...]], tuple[str, bool] | None] = {}

    def recording(self) -> Resolver:
        """One that sees the same folders, and notes in `asked` what is looked up."""
        other = Resolver((), self.further)
        other.roots = self.roots
        other._listings = self._listings
        other._known = self._known
        other._children = self._children
        other.asked = {}
        return other

    def kind(self, folder: str, name: str) -> str:
        """What is there now of something that was `asked`."""
        if name == ".":
            return "p" if self.is_package(folder) else "n"
        hit = self.child(folder, name)
        return "" if hit is None else "f" if not hit[1] else "p" if self.is_package(hit[0]) else "n"

    def is_package(self, folder: str) -> bool:
        """Whether a folder has an `__init__.py`."""
        found = "__init__.py" in self.listing(folder)[0]
        if self.asked is not None:
            self.asked[folder, "."] = "p" if found else "n"
        return found

    def listing(self, folder: str) -> Listing:
        """Names of the .py files and of the folders in a folder."""
        known = self._listings.get(folder)
        if known is None:
            known = self._listings[folder] = self._known.get(folder) or listing(folder)
        return known

    def listed(self) -> Iterable[str]:
        """The folders in which something was looked up."""
        return self._listings

    def child(self, folder: str, name: str) -> tuple[str, bool] | None:
        """Module `name` in a folder: (path, False) of a file, (folder, True) of a package or namespace."""
        key = (folder, name)
        if key in self._children:
            hit = self._children[key]
        else:
            hit = self._children[key] = self._child(folder, name)
        if self.asked is not None:
            self.asked[folder, name] = "" if hit is None else "f" if not hit[1] else "n"
            if hit is not None and hit[1] and "__init__.py" in self.listing(hit[0])[0]:
                self.asked[folder, name] = "p"
        return hit

    def _child(self, folder: str, name: str) -> tuple[str, bool] | None:
        files, folders = self.listing(folder)
        if name in folders:
            sub = _normal(os.path.join(folder, name))
            if "__init__.py" in self.listing(sub)[0]:
                return sub, True
        if name + ".py" in files:
            return _normal(os.path.join(folder, name + ".py")), False
        if name in folders and any(f for f in self.listing(os.path.join(folder, name))):
            return _normal(os.path.join(folder, name)), True
        return None

    def absolute(self, dotted: str, script_folder: str) -> tuple[str, bool] | None:
        """A dotted name as seen from a script in `script_folder`."""
        key = (dotted, script_folder)
        if key in self._found:
            return self._found[key]
        found = self._below((script_folder,), dotted)
        if found is None:
            # Most imports are of libraries, and nowhere here: looked up once for all folders.
            bases = (*self.roots, *self._further(script_folder))
            if (dotted, bases) not in self._rooted:
                self._rooted[dotted, bases] = self._below(bases, dotted)
            found = self._rooted[dotted, bases]
        self._found[key] = found
        return found

    def _below(self, bases: Iterable[str], dotted: str) -> tuple[str, bool] | None:
        """A dotted name in the first of some folders that has it."""
        first, *rest = dotted.split(".")
        for base in bases:
            hit = self.child(base, first)
            if hit is not None and hit[1] and first in _LIBRARIES and not self.is_package(hit[0]):
                hit = None  # a folder of data called `torch` is not the library
            for name in rest:
                if hit is None or not hit[1]:
                    hit = None
                    break
                hit = self.child(hit[0], name)
            if hit is not None:
                return hit
        return None

    def _further(self, folder: str) -> list[str]:
        return [_normal(base) for base in self.further(folder)] if self.further is not None else []

    def relative(self, module: str, level: int, folder: str) -> tuple[str, bool] | None:
        """`from ..module import x` inside a module whose package folder is `folder`."""
        for _ in range(level - 1):
            folder = _normal(os.path.join(folder, os.pardir))
        hit: tuple[str, bool] | None = (folder, True)
        for name in filter(None, module.split(".")):
            if hit is None or not hit[1]:
                return None
            hit = self.child(hit[0], name)
        return hit

    def files_of(self, edge: ImportEdge, path: str) -> list[str]:
        """The files that an import edge in the file `path` reads, packages on the way included."""
        folder = self._folders.get(path, "")
        if not folder:
            folder = self._folders[path] = os.path.dirname(path)
        if edge.level:
            hit = self.relative(edge.module, edge.level, folder)
        else:
            hit = self.absolute(edge.module, folder)
        out: list[str] = []
        if not edge.level:
            parts = edge.module.split(".")
            for n in range(1, len(parts)):
                self._add(out, self.absolute(".".join(parts[:n]), folder))
        if hit is None:
            return out
        self._add(out, hit)
        if hit[1]:
            for name in edge.names:
                self._add(out, self.child(hit[0], name))
        return out

    def _add(self, out: list[str], hit: tuple[str, bool] | None) -> None:
        if hit is None:
            return
        if not hit[1]:
            out.append(hit[0])
        elif self.is_package(hit[0]):
            out.append(os.path.join(hit[0], "__init__.py"))


_LIBRARIES = frozenset({"torch", "torchvision", "numpy", "transformers", "timm", "monai", "kornia"})


def _normal(path: str) -> str:
    """A path without detours: "" for the working directory, `..` resolved where it names it again."""
    path = os.path.normpath(path)
    if path.startswith(os.pardir):
        path = os.path.relpath(os.path.abspath(path))
    return "" if path == os.curdir else path
