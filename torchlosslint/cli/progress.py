"""How far a long run is, on a terminal and nowhere else."""

from __future__ import annotations

import os
import shutil
import sys
import time

from torchlosslint.report.display import cut, safe

PATIENCE = 1.5  # seconds that a run may take without a word
PAUSE = 0.1  # between two words

_CLEAR = "\r\x1b[K"


class Progress:
    """One line on standard error, written over and over, gone at the end."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self.next = time.monotonic() + patience
        self.shown = False
        self.columns = shutil.get_terminal_size(fallback=(80, 24)).columns

    def __call__(self, done: int, total: int, path: str) -> None:
        """So many files of so many are done, and this one is read now."""
        now = time.monotonic()
        if now < self.next:
            return
        self.next = now + PAUSE
        self.shown = True
        line = f"{done} of {total} files; reading "
        room = max(self.columns - len(line) - 1, 10)
        self._write(_CLEAR + (line + cut(safe(path), room))[: self.columns - 1])

    def end(self) -> None:
        """Leave no trace."""
        if self.shown:
            self._write(_CLEAR)

    def _write(self, text: str) -> None:
        encoding = sys.stderr.encoding or "utf-8"
        sys.stderr.write(text.encode(encoding, "replace").decode(encoding))
        sys.stderr.flush()


def progress() -> Progress | None:
    """None where nobody watches."""
    if sys.stderr is None or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return None
    return Progress()
