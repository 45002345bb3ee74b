"""What the screen saw of the files of a root, kept from run to run."""

from __future__ import annotations

import os
import stat
import time

from torchlosslint.cache import Cache, digest
from torchlosslint.outcome import Screens, Seen, decode_index, decode_screens, encode
from torchlosslint.sources.decode import SourceError
from torchlosslint.sources.notebook import python_bytes, raw_bytes
from torchlosslint.sources.screen import Screened, screen

INDEX = "s"
SCREENS = "e"
# A file may be written twice within one tick of its file system's clock; FAT's is the longest.
TICK_NS = 2_000_000_000


class Index:
    """Looks at files, each once a run, and not at all where it is as it was.

    words: further triggers, the names of declared losses.
    """

    def __init__(self, root: str, cache: Cache | None, words: tuple[bytes, ...]) -> None:
        self.cache = cache
        self.words = words
        self.key = digest(os.getcwd(), root, *words)
        data = cache.load(INDEX, self.key) if cache is not None else None
        self.before: dict[str, Seen] = (decode_index(data) if data is not None else None) or {}
        self.now: dict[str, Seen] = {}
        self.others: dict[str, bytes] = {}
        self.sizes: dict[str, int] = {}
        self.is_news = False
        self.newest = time.time_ns() - TICK_NS  # a file that was written later may be written once more
        self.screens: Screens = {}  # of files of this run
        self._before: Screens | None = None  # of those of the last; loaded when something asks

    def look(self, path: str) -> Seen | SourceError:
        """What there is to see of a file."""
        before = self.before.get(path)
        marks = self.marks(path) if self.cache is not None else ()
        if before is not None and marks and marks == before.stat:
            self.now[path] = before
            return before
        data = raw_bytes(path)
        if isinstance(data, SourceError):
            return data
        read = digest(data) if self.cache is not None else b""
        if before is not None and before.digest == read:
            seen = Seen(marks, read, before.worded, before.silent)
        else:
            text = python_bytes(data, path)
            if isinstance(text, SourceError):
                return text
            seen = Seen(marks, read, b"TLL" in text or b"torchlosslint:" in text, _silent(text))
            self.screens[path] = read, screen(text, self.words)
        self.now[path] = seen
        self.sizes[path] = len(data)
        self.is_news = True
        return seen

    def screened(self, path: str) -> Screened:
        """What the screen sees of a file that was looked at."""
        known = self.screens.get(path)
        if known is None:
            known = self.before_screens().get(path)
            if known is None or known[0] != self.now[path].digest:
                data = raw_bytes(path)
                text = data if isinstance(data, SourceError) else python_bytes(data, path)
                if isinstance(data, SourceError) or isinstance(text, SourceError):
                    return Screened((), False)  # it is gone since
                known = digest(data), screen(text, self.words)
                self.is_news = True
            self.screens[path] = known
        return known[1]

    def before_screens(self) -> Screens:
        """What the screen saw in earlier runs."""
        if self._before is None:
            data = self.cache.load(SCREENS, self.key) if self.cache is not None else None
            self._before = (decode_screens(data) if data is not None else None) or {}
        return self._before

    def digest(self, path: str) -> bytes:
        """The digest of a file's bytes, b"" where it cannot be read (or there is no cache to know it)."""
        if self.cache is None:
            return b""
        seen = self.now.get(path)
        if seen is not None:
            return seen.digest
        if path not in self.others:
            data = raw_bytes(path)
            self.others[path] = b"" if isinstance(data, SourceError) else digest(data)
        return self.others[path]

    def size(self, path: str) -> int:
        """The bytes of a file."""
        seen = self.now.get(path)
        if path in self.sizes or seen is None or not seen.stat:
            return self.sizes.get(path, 0)
        return seen.stat[0]

    def marks(self, path: str) -> tuple[int, ...]:
        """By which a file that is as it was is known, () where it is too new to tell."""
        try:
            about = os.stat(path)
        except (OSError, ValueError):
            return ()
        if not stat.S_ISREG(about.st_mode) or max(about.st_mtime_ns, about.st_ctime_ns) > self.newest:
            return ()
        return (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino)

    def save(self) -> None:
        """Keep what was seen, and forget what the screen saw."""
        if self.cache is None:
            return
        gone = len(self.before) != len(self.now)
        if self.is_news or gone:
            data = encode(self.now)
            if data is not None:
                self.cache.store(INDEX, self.key, data)
        before = self.before_screens() if self.screens else {}
        if any(before.get(path) != known for path, known in self.screens.items()):
            data = encode(
                {path: known for path in self.now if (known := self.screens.get(path) or before.get(path))}
            )
            if data is not None:
                self.cache.store(SCREENS, self.key, data)
        self.screens, self._before = {}, None


def _silent(text: bytes) -> bool:
    """Whether nothing in a text can be a suppression. In other encodings words may look otherwise."""
    lower = text.lower()
    return b"noqa" not in lower and b"torchlosslint" not in lower and b"coding" not in lower[:4000]
