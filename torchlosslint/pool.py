"""Parts worked on by several processes.

The parent hands out tasks, one at a time to each worker, and puts the answers in the order of the jobs, so
that the number of workers makes no difference to what is found. A worker that dies costs the part that it
had, which is told. A large part has its files parsed by all workers before one of them interprets it.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from torchlosslint.cache import Cache
from torchlosslint.outcome import Outcome, Trouble
from torchlosslint.part import Job, Shop
from torchlosslint.rule import Rule
from torchlosslint.syntax.guard import on_large_stack
from torchlosslint.view import View

# Bytes of source that are worth a process of their own: forked, it starts in some 20 ms; else it has to
# import everything first. 40 bytes take about 1 ms to parse and interpret.
WORTH = 100_000
WORTH_SPAWNED = 400_000
# A part with this share of all there is to do keeps the others waiting: its files are parsed by all.
LARGE = 0.5
BATCH = 100_000  # bytes of source that are parsed in one task
PATIENCE = 5.0  # seconds to wait for a worker that was told to end


def cores() -> int:
    """The cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux has it
        return os.cpu_count() or 1


def method() -> str:
    """How processes are started: by fork only where no other thread may hold a lock."""
    forks = sys.platform == "linux" and threading.active_count() == 1
    return "fork" if forks else "spawn"


def workers_for(jobs: Sequence[Job], wanted: int) -> int:
    """How many processes are worth their start; 0 or 1 for none but this one."""
    worth = WORTH if method() == "fork" else WORTH_SPAWNED
    size = sum(job.size for job in jobs)
    files = sum(len(job.files) for job in jobs)
    return min(wanted or cores(), size // max(worth, 1), files)


@dataclass(slots=True)
class Task:
    """Something for a worker: a job (with modules that were parsed ahead), or files to parse for one."""

    number: int
    job: Job
    paths: tuple[str, ...] = ()
    ahead: dict[bytes, bytes] = field(default_factory=dict)


class Pool:
    """Workers and their tasks."""

    def __init__(self, view: View, rules: list[Rule], cache: Cache | None, watched: bool, size: int) -> None:
        self.setup = (view, rules, cache, watched)
        self.cache = cache
        self.size = size
        self.method = method()
        self.context: Any = multiprocessing.get_context(self.method)
        self.workers: dict[Connection, BaseProcess] = {}
        self.busy: dict[Connection, Task] = {}
        self.todo: deque[Task] = deque()
        self.batches: dict[int, int] = {}  # tasks of a job's parsing that are not done, by its number
        self.later: dict[int, Task] = {}  # jobs that wait for them
        self.outcomes: dict[int, Outcome] = {}
        self.reading: Callable[[str], None] | None = None  # is told of each file that is worked on

    def run(self, jobs: Sequence[Job]) -> list[Outcome]:
        """The outcomes of the jobs."""
        self._plan(jobs)
        try:
            while self.todo or self.busy:
                while self.todo and len(self.busy) < self.size:
                    self._give(self.todo.popleft())
                for connection in wait(list(self.busy)):
                    assert isinstance(connection, Connection)
                    self._take(connection)
        finally:
            self._end()
        return [self.outcomes[number] for number in range(len(jobs))]

    def _plan(self, jobs: Sequence[Job]) -> None:
        """The largest first, so that no one is left with a large one at the end."""
        total = sum(job.size for job in jobs)
        for number in sorted(range(len(jobs)), key=lambda n: -jobs[n].size):
            task = Task(number, jobs[number])
            batches = list(_batches(task.job)) if task.job.size >= LARGE * total else []
            if len(batches) > 1:
                self.later[number] = task
                self.batches[number] = len(batches)
                self.todo.extend(Task(number, task.job, batch) for batch in batches)
            else:
                self.todo.append(task)

    def _give(self, task: Task) -> None:
        """A task to a worker that has none."""
        if self.reading is not None:
            for key in task.paths or task.job.files:
                self.reading(task.job.shown.get(key, key))
        idle = next((c for c in self.workers if c not in self.busy), None) or self._start()
        with contextlib.suppress(OSError):  # it died meanwhile: that is seen when its answer is due
            idle.send(task)
        self.busy[idle] = task

    def _start(self) -> Connection:
        ours: Connection
        ours, theirs = self.context.Pipe()
        # A forked worker has a copy of our end as well, and would wait for itself when we are gone.
        extra = ours if self.method == "fork" else None
        process = self.context.Process(target=_work, args=(theirs, extra, *self.setup), daemon=True)
        process.start()
        theirs.close()
        self.workers[ours] = process
        return ours

    def _take(self, connection: Connection) -> None:
        """What a worker has to say, or its end."""
        task = self.busy.pop(connection)
        try:
            answer = connection.recv()
        except (EOFError, OSError):
            process = self.workers.pop(connection)
            connection.close()
            process.join(PATIENCE)
            answer = None if task.paths else _lost(task.job, process.exitcode)
        if isinstance(answer, _Failed):
            raise RuntimeError(answer.what) from RuntimeError(answer.trace)
        if isinstance(answer, tuple):
            answer, trouble = answer
            if self.cache is not None:
                self.cache.trouble = self.cache.trouble or trouble
                self.cache.written += 1
        if not task.paths:
            assert isinstance(answer, Outcome)
            self.outcomes[task.number] = answer
            return
        waiting = self.later[task.number]
        waiting.ahead.update(answer or {})
        self.batches[task.number] -= 1
        if not self.batches[task.number]:
            self.todo.appendleft(self.later.pop(task.number))

    def _end(self) -> None:
        """No worker outlives the run."""
        for connection, process in self.workers.items():
            if connection in self.busy:
                process.terminate()
            connection.close()  # which an idle one takes for its end
        for process in self.workers.values():
            process.join(PATIENCE)
            if process.is_alive():
                process.kill()
                process.join()


def _batches(job: Job) -> Iterable[tuple[str, ...]]:
    """The files of a job in groups of about equal size."""
    count = max(1, job.size // BATCH)
    each = -(-len(job.files) // count)
    paths = [job.shown.get(key, key) for key in job.files]
    for start in range(0, len(paths), each):
        yield tuple(paths[start : start + each])


def _lost(job: Job, status: int | None) -> Outcome:
    """The outcome of a job whose worker died."""
    first = job.shown.get(job.files[0], job.files[0])
    how = f"signal {-status}" if status is not None and status < 0 else f"status {status}"
    others = len(job.files) - 1
    more = f" and {others} more that belong{'s' if others == 1 else ''} to it" if others else ""
    said = f"the process that checked this file{more} died ({how}); nothing is known of it"
    outcome = Outcome()
    outcome.troubles.append(Trouble(first, 1, 1, said))
    return outcome


@dataclass(slots=True)
class _Failed:
    """An exception in a worker, in words."""

    what: str
    trace: str


def _work(
    connection: Connection,
    extra: Connection | None,
    view: View,
    rules: list[Rule],
    cache: Cache | None,
    watched: bool,
) -> None:
    """The life of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    if extra is not None:
        extra.close()
    gc.disable()
    gc.freeze()
    shop = Shop(view, rules, cache, watched)

    def loop() -> None:
        while True:
            try:
                task: Task = connection.recv()
            except (EOFError, OSError):
                return
            answer: object
            try:
                if task.paths:
                    answer = shop.parse_ahead(task.paths)
                else:
                    shop.ahead = task.ahead
                    answer = shop.do(task.job)
            except Exception as error:
                answer = _Failed(f"{type(error).__name__}: {error}", traceback.format_exc())
            else:
                answer = (answer, cache.trouble if cache is not None else "")
            try:
                connection.send(answer)
            except OSError:  # nobody listens any more
                return

    on_large_stack(loop)
