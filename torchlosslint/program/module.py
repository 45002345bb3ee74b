"""One module of an analysed program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torchlosslint.syntax import ir


class ModuleInfo:
    """A file (or a folder without `__init__.py`) that can be imported.

    path: as findings name it; "" for a namespace folder. folder: where its submodules lie.
    globals: its namespace under analysis. state: "new", "running" or "done".
    main: the bodies of `if __name__ == "__main__":`, run when the module is an entry.
    """

    __slots__ = ("body", "folder", "globals", "is_package", "lines", "main", "name", "path", "scope", "state")

    def __init__(self, path: str, folder: str, name: str, is_package: bool) -> None:
        self.path = path
        self.folder = folder
        self.name = name
        self.is_package = is_package
        self.globals: dict[str, Any] = {}
        self.state = "new"
        self.body: list[ir.Stmt] = []
        self.lines = 0
        self.main: list[ir.If] = []
        self.scope: Any = None

    def __repr__(self) -> str:
        return f"<module {self.path or self.folder}>"
