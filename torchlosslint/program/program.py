"""The modules of one program, loaded when something asks for them."""

from __future__ import annotations

import os
from collections.abc import Callable

from torchlosslint.program.module import ModuleInfo
from torchlosslint.program.resolve import Resolver
from torchlosslint.syntax import ir


class Program:
    """Modules by file. `parse` gives the IR of a file, or None where it cannot be read."""

    def __init__(self, resolver: Resolver, parse: Callable[[str], ir.Module | None]) -> None:
        self.resolver = resolver
        self.parse = parse
        self.modules: dict[str, ModuleInfo] = {}

    def file(self, path: str) -> ModuleInfo:
        """The module of a file, parsed on first use."""
        known = self.modules.get(path)
        if known is not None:
            return known
        folder = os.path.dirname(path)
        stem = os.path.basename(path)[:-3]
        is_package = stem == "__init__"
        info = ModuleInfo(path, folder, os.path.basename(folder) if is_package else stem, is_package)
        self.modules[path] = info
        parsed = self.parse(path)
        if parsed is None:
            info.state = "done"
        else:
            info.body = parsed.body
            info.lines = parsed.lines
        return info

    def at(self, hit: tuple[str, bool]) -> ModuleInfo:
        """The module for what the resolver found."""
        path, is_folder = hit
        if not is_folder:
            return self.file(path)
        if self.resolver.is_package(path):
            return self.file(os.path.join(path, "__init__.py"))
        known = self.modules.get(path)
        if known is None:
            known = self.modules[path] = ModuleInfo("", path, os.path.basename(path), True)
            known.state = "done"
        return known

    def find(self, dotted: str, importer: ModuleInfo) -> ModuleInfo | None:
        """An absolute import in `importer`."""
        hit = self.resolver.absolute(dotted, importer.folder)
        return self.at(hit) if hit is not None else None

    def find_relative(self, module: str, level: int, importer: ModuleInfo) -> ModuleInfo | None:
        """A relative import in `importer`."""
        hit = self.resolver.relative(module, level, importer.folder)
        return self.at(hit) if hit is not None else None

    def submodule(self, package: ModuleInfo, name: str) -> ModuleInfo | None:
        """A module directly below a package."""
        if not package.is_package:
            return None
        hit = self.resolver.child(package.folder, name)
        return self.at(hit) if hit is not None else None
