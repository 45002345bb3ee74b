"""A run: paths -> discovery -> screen -> parts of the import graph -> their outcomes -> report.

Nothing here imports the parser: where the cache has all outcomes, nothing is parsed. See `part` for what
is done otherwise.
"""

from __future__ import annotations

import gc
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from torchlosslint.cache import Cache, digest, stamp_of
from torchlosslint.config import Configuration, Settings
from torchlosslint.finding import Finding, Location, Report, Skipped
from torchlosslint.index import Index
from torchlosslint.outcome import Outcome, Trouble
from torchlosslint.packing import Packing
from torchlosslint.program.resolve import Resolver
from torchlosslint.rule import Rule, load_rules
from torchlosslint.sieve import Sieve
from torchlosslint.sources.decode import SourceError
from torchlosslint.sources.discovery import Discovery, Root, discover
from torchlosslint.sources.exclude import Exclusion
from torchlosslint.sources.listing import Listing
from torchlosslint.sources.screen import reached
from torchlosslint.view import View

if TYPE_CHECKING:
    from torchlosslint.part import Job, Shop
    from torchlosslint.pool import Pool

UNREADABLE = "TLL001"
Progress = Callable[[int, int, str], None]


def lint(
    paths: Sequence[Path | str],
    settings: Settings,
    configuration: Configuration | None = None,
    cache: str = "",
    project: str = "",
    progress: Progress | None = None,
    rules: list[Rule] | None = None,
) -> Report:
    """Lint files and folders.

    configuration: the settings of each file; without it, `settings` are those of all files and no
    configuration file is read. Of `settings`, what concerns the whole run counts (the baseline).
    cache: the folder in which to keep what is found out for the next run, "" for none.
    project: a folder that is read along with `paths`; what touches none of `paths` is not reported.
    progress: is told how many files are done, of how many, and which one is read now.
    rules: those that are installed, where they are known.
    Raises DiscoveryError for a path that is not there and ConfigError for a setting that cannot be had.
    """
    start = time.process_time()
    rules = load_rules() if rules is None else rules
    if configuration is None:
        configuration = Configuration(settings=settings, rules=rules, isolated=True)
    found, exclusion = discovered(paths, configuration, project)
    store = Cache(cache, stamp_of(type(rule).__module__ for rule in rules)) if cache else None
    run = _Run(settings, configuration, rules, store)
    run.report.skipped.extend(found.skipped)
    run.named = found.named
    run.checked = checked = set(found.files)
    run.progress = progress
    run.report.files_checked = len(found.files)
    for error in found.errors:
        run.unreadable(Trouble(error.path, error.line, error.column, error.message))
    run.spent("discovery", start)
    was_enabled = gc.isenabled()
    gc.disable()
    gc.freeze()  # what is there already outlives the run: no collection need look at it
    try:
        run.all(found.roots, found.listings)
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()
    start = time.process_time()
    folders = tuple(os.path.join(os.path.abspath(path), "") for path in paths if os.path.isdir(path))
    walked = checked - {path for path in found.named if not os.path.abspath(path).startswith(folders)}
    sieve = Sieve(configuration, rules, checked, walked, lambda path: bool(exclusion.excluded(path)))
    sieve.silent = run.silent
    sieve.run(run.report, run.hidden, run.worded, settings)
    run.spent("sieve", start)
    return run.report


def discovered(
    paths: Sequence[Path | str], configuration: Configuration, project: str = ""
) -> tuple[Discovery, Exclusion]:
    """The files to check, and what decides which are left out."""
    exclusion = Exclusion(
        lambda folder: tuple((p.folder, p.patterns) for p in configuration.of(folder).exclude),
        lambda folder: configuration.of(folder).respect_gitignore,
        lambda folder: configuration.of(folder).force_exclude,
    )
    found = discover(paths, exclusion, project)
    for root in found.roots:
        for path in (*root.files, *root.around):
            configuration.of_file(path)
    return found, exclusion


class _Run:
    """The state of one run over all roots."""

    def __init__(
        self, settings: Settings, configuration: Configuration, rules: list[Rule], cache: Cache | None
    ) -> None:
        self.settings = settings
        # One interpretation for all: what some file selects runs, and the sieve takes away the rest.
        chosen = frozenset[str]().union(*(configuration.selection(s).codes for s in configuration.met()))
        self.rules = [r for r in rules if r.code in chosen]
        self.by_code = {r.code: r for r in self.rules}
        self.view = View(configuration, self.by_code, settings.verbose)
        self.cache = cache
        self.hidden: list[Finding] = []  # not shown anyway, but perhaps what a suppression is for
        self.worded: set[str] = set()  # files that may have suppressions
        self.silent: set[str] = set()  # files that have none
        self.report = Report()
        self.named: set[str] = set()
        self.checked: set[str] = set()
        self.progress: Progress | None = None
        self.failed: set[str] = set()

    def spent(self, phase: str, start: float) -> None:
        """Book the time since `start`."""
        times = self.report.times
        times[phase] = times.get(phase, 0.0) + time.process_time() - start

    def all(self, roots: Iterable[Root], listings: Mapping[str, Listing]) -> None:
        """Lint all roots: what the cache knows, then the rest."""
        outcomes: list[Outcome | None] = []
        partly: list[bool] = []  # of which outcomes only what touches a checked file counts
        jobs: list[tuple[int, Job]] = []
        packing: list[Packing] = []
        for root in roots:
            start = time.process_time()
            for made in self.root(root, listings, packing):
                partly.append(bool(root.around))
                if isinstance(made, Outcome):
                    outcomes.append(made)
                else:
                    jobs.append((len(outcomes), made))
                    outcomes.append(None)
            self.spent("screen", start)
        if jobs:
            done = self.work([job for _, job in jobs])
            for (place, _), one in zip(jobs, done, strict=True):
                outcomes[place] = one
        for outcome, is_part in zip(outcomes, partly, strict=True):
            assert outcome is not None
            self.merge(outcome, is_part)
        if self.cache is not None:
            start = time.process_time()
            for each in packing:
                each.store(self.cache)
            self.spent("screen", start)
            if self.cache.written:
                self.cache.prune()
            if self.cache.trouble:
                self.report.notes.append(f"nothing is kept for the next run: {self.cache.trouble}")

    def work(self, jobs: list[Job]) -> list[Outcome]:
        """The outcomes of jobs, from this process or from several."""
        # Imported here: they bring the parser along.
        from torchlosslint.part import Shop
        from torchlosslint.syntax.guard import on_large_stack

        if self.settings.jobs != 1:
            from torchlosslint.pool import Pool, workers_for

            workers = workers_for(jobs, self.settings.jobs)
            if workers > 1:
                pool = Pool(self.view, self.rules, self.cache, self.settings.profile, workers)
                self.follow(pool, jobs)
                return pool.run(jobs)
        shop = Shop(self.view, self.rules, self.cache, self.settings.profile)
        self.follow(shop, jobs)
        return on_large_stack(lambda: [shop.do(job) for job in jobs])

    def follow(self, worker: Shop | Pool, jobs: Iterable[Job]) -> None:
        """Tell how far the work is, each time that a file is read."""
        tell, total, met = self.progress, len(self.checked), set[str]()
        if tell is None:
            return
        rest = total - sum(len(job.files) for job in jobs)

        def reading(path: str) -> None:
            met.add(path)
            tell(min(max(rest, 0) + len(met), total), total, path)

        worker.reading = reading

    def root(
        self, root: Root, listings: Mapping[str, Listing], packing: list[Packing]
    ) -> Iterable[Outcome | Job]:
        """The connected parts of a root's import graph: their outcomes, or the jobs to get them.
        packing: gets what is to be stored when the jobs are done."""
        # A file that was named may import as a program does that is started here.
        starts = (root.path, os.curdir) if self.named.issuperset(root.files) else (root.path,)
        resolver = Resolver(starts, self.view.roots, listings)
        index = Index(root.path, self.cache, self.view.words)
        shown = {_key(path): path for path in (*root.files, *root.around)}
        seen: set[str] = set()  # keys of files that can be read, later with those that they import
        worded = set()
        for key, path in shown.items():
            look = index.look(path)
            if isinstance(look, SourceError):
                if path in self.checked:
                    self.unreadable(Trouble(path, look.line, look.column, look.message))
            else:
                seen.add(key)
                if look.worded:
                    worded.add(path)
                elif look.silent:
                    self.silent.add(path)
        self.worded |= worded & self.checked
        pack = Packing(root, self.view, resolver, index, shown, frozenset(worded))
        if self.cache is not None:
            pack.load(self.cache, seen, self.named)
            if pack.holds():
                index.save()
                return [part.outcome for part in pack.before]
        # What is imported from elsewhere (the package around the root, import roots) counts too: it may
        # be why a file is needed. It is parsed when something imports it.
        screened = {key: index.screened(shown[key]) for key in shown if key in seen}
        imported: dict[str, set[str]] = {}
        todo = list(screened)
        is_whole = any(path not in self.named for path in root.files)
        while todo:
            path = todo.pop()
            files = imported[path] = {f for e in screened[path].imports for f in resolver.files_of(e, path)}
            for other in files if is_whole else ():
                if other not in screened and other not in shown:
                    pack.others.add(other)
                    look = index.look(other)
                    if not isinstance(look, SourceError):
                        screened[other] = index.screened(other)
                        todo.append(other)
        index.save()
        wanted = reached(screened, imported) & shown.keys()
        wanted |= {k for k, path in shown.items() if path in self.named and k in screened}
        parts = components(wanted, imported)
        if root.around:
            parts = [part for part in parts if any(shown[key] in self.checked for key in part)]
        if self.cache is not None:
            packing.append(pack)
        return [self.known(part, starts, pack) for part in parts]

    def known(self, files: list[str], starts: tuple[str, ...], pack: Packing) -> Outcome | Job:
        """The outcome of a part in the cache, or the job to get it."""
        index, shown, worded = pack.index, pack.shown, pack.worded
        digests = tuple(index.digest(shown[key]) for key in files)
        told = [(key, shown[key], self.view.told(shown[key], worded)) for key in files]
        key = digest(repr(pack.resolver.roots), repr(told), *digests)
        outcome = pack.part(self.cache, key) if self.cache is not None else None
        if outcome is not None:
            return outcome
        from torchlosslint.part import Job

        size = sum(index.size(shown[key]) for key in files)
        return Job(starts, tuple(files), pack.other, worded, digests, size, key)

    def merge(self, outcome: Outcome, partly: bool) -> None:
        """Add the outcome of a part to the report. partly: more was read than is checked."""
        for trouble in outcome.troubles:
            if not partly or trouble.path in self.checked:
                self.unreadable(trouble)
        report, more = self.report, outcome.report
        report.findings += [f for f in more.findings if not partly or self.touched(f)]
        self.hidden += outcome.hidden
        report.skipped += more.skipped
        report.files_parsed += more.files_parsed
        # Where a commit is checked, what the whole repository leaves undone is not its business.
        for key, count in more.quiet.items() if not partly else ():
            report.quiet[key] = report.quiet.get(key, 0) + count
        calls = report.loss_calls
        calls.judged += more.loss_calls.judged
        calls.unknown += more.loss_calls.unknown
        calls.seen = calls.judged + calls.unknown
        calls.reasons += more.loss_calls.reasons
        for phase, seconds in outcome.times.items():
            report.times[phase] = report.times.get(phase, 0.0) + seconds

    def touched(self, finding: Finding) -> bool:
        """Whether a checked file has a part in a finding."""
        places = (finding.location, *(step.location for step in finding.flow))
        return any(place.path in self.checked for place in places)

    def unreadable(self, trouble: Trouble) -> None:
        """TLL001 for a file (or a cell of a notebook), once."""
        if trouble.what in self.failed:
            return
        self.failed.add(trouble.what)
        self.report.skipped.append(Skipped(trouble.what, trouble.message))
        rule = self.by_code.get(UNREADABLE)
        if rule is not None:
            line, column = max(trouble.line, 1), max(trouble.column, 1)
            where = Location(trouble.path, line, column, line, column, trouble.cell)
            help_text = "Mend the file, or leave it out of the paths that are linted."
            if trouble.cell is not None:
                help_text = "Mend the cell; the others are linted without it."
            self.report.findings.append(
                Finding(rule.code, rule.name, rule.severity, "certain", trouble.message, help_text, where)
            )


def _key(path: str) -> str:
    return os.path.normpath(path)


def components(wanted: Iterable[str], imports: Mapping[str, set[str]]) -> list[list[str]]:
    """The needed files in groups that import one another, importers before what they import. imports: what
    each of them imports."""
    wanted = sorted(wanted)
    inside = set(wanted)
    parent = {p: p for p in wanted}

    def find(path: str) -> str:
        while parent[path] != path:
            parent[path] = parent[parent[path]]
            path = parent[path]
        return path

    imported: dict[str, int] = dict.fromkeys(wanted, 0)
    for path in wanted:
        for other in imports[path] & inside:
            if other != path:
                imported[other] += 1
                a, b = find(path), find(other)
                if a != b:
                    parent[b] = a
    groups: dict[str, list[str]] = defaultdict(list)
    for path in wanted:
        groups[find(path)].append(path)
    return [sorted(group, key=lambda p: (imported[p] > 0, p)) for group in groups.values()]
