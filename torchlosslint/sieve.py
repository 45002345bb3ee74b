"""Which findings are shown: selection by file, severities, suppressions, baseline.

The interpreter runs once for all; what a file's settings hide is taken away here. What hides nothing
is told in turn: TLL002.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from torchlosslint import baseline
from torchlosslint.config import Configuration, Settings, nearest
from torchlosslint.config.selection import matching
from torchlosslint.finding import Finding, Location, Report
from torchlosslint.rule import Rule
from torchlosslint.sources.decode import SourceError, read_bytes
from torchlosslint.sources.exclude import matcher
from torchlosslint.sources.notebook import Cells, Source, is_notebook, read

if TYPE_CHECKING:
    from torchlosslint.sources.suppressions import Suppression

UNUSED = "TLL002"
LONGEST = 20  # lines of a call on any of which a suppression may stand; of a longer one, its ends


class Sieve:
    """Takes what was found, and says what of it is shown.

    checked: the files of the run, as findings name them. walked: those of them that were found in a
    folder, so that everything around them was looked at too. excluded: whether a file that was only
    imported is one to leave out. failed: files of which not everything was looked at.
    """

    def __init__(
        self,
        configuration: Configuration,
        rules: Iterable[Rule],
        checked: set[str],
        walked: set[str],
        excluded: Callable[[str], bool],
    ) -> None:
        self.configuration = configuration
        self.rules = {rule.code: rule for rule in rules}
        self.names = {rule.name.lower(): rule.code for rule in self.rules.values()}
        self.checked = checked
        self.walked = walked
        self.excluded = excluded
        self.silent: set[str] = set()  # files that are known to have no suppressions
        self._found: dict[str, list[Suppression]] = {}
        self._cells: dict[str, Cells | None] = {}
        self._ignored: dict[tuple[Settings, str], frozenset[str]] = {}

    def run(
        self, report: Report, hidden: Iterable[Finding], worded: Iterable[str], settings: Settings
    ) -> None:
        """Leave in the report what is shown. hidden: what is not shown anyway (too unsure, not
        selected), but may be what a suppression is for. worded: checked files that may have some."""
        for finding in hidden:
            self.suppressed(finding)
        seen: set[tuple[str, Location]] = set()
        kept: list[Finding] = []
        for finding in report.findings:
            key = (finding.code, finding.location)
            if key in seen:
                continue
            seen.add(key)
            if self.suppressed(finding):
                report.suppressed += 1
            elif self.shown(finding.code, finding.location.path):
                kept.append(self.weighed(finding))
        failed = {skip.path for skip in report.skipped}
        kept.extend(self.unused(worded, failed))
        if settings.baseline:
            kept = self.over(kept, baseline.load(settings.baseline), report, failed)
        kept.sort(key=lambda f: (f.location.path, f.location.line, f.location.column, f.code))
        report.findings = kept
        report.fails = any(self.of(f.location.path).fails(f.severity) for f in kept)

    def of(self, path: str) -> Settings:
        """The settings of a file."""
        return self.configuration.of_file(path)

    # ---- selection

    def shown(self, code: str, path: str) -> bool:
        """Whether the settings of a file show a rule there."""
        settings = self.of(path)
        if code not in self.configuration.selection(settings):
            return False
        if path not in self.checked and self.excluded(path):
            return False
        return code not in self.ignored_in(settings, path)

    def ignored_in(self, settings: Settings, path: str) -> frozenset[str]:
        """The codes that `per-file-ignores` hides in a file."""
        if not settings.per_file_ignores:
            return frozenset()
        key = (settings, path)
        if key not in self._ignored:
            full = os.path.abspath(path).replace(os.sep, "/")
            selectors = [
                each
                for where, listed in settings.per_file_ignores
                if matcher(where.folder, where.patterns).check(full)
                for each in listed
            ]
            self._ignored[key] = matching(selectors, self.rules.values())
        return self._ignored[key]

    def weighed(self, finding: Finding) -> Finding:
        """The finding with the severity that the settings give it."""
        settings = self.of(finding.location.path)
        if not settings.severities:
            return finding
        severity = self.configuration.severities(settings).get(finding.code, finding.severity)
        return finding if severity == finding.severity else replace(finding, severity=severity)

    # ---- suppressions

    def suppressed(self, finding: Finding) -> bool:
        """Whether a comment hides a finding: in the line of the loss call or of the cause, wherever
        they are. Every comment that would hide it counts as used."""
        out = False
        for at in _places(finding):
            if at.path in self.silent:
                continue
            found = self.suppressions(at.path)
            if not found:
                continue
            lines = self.lines(at)
            for one in found:
                if one.target and one.target not in lines:
                    continue
                by = one.hides(finding.code, finding.name)
                if by is None or (not one.reason and self.of(at.path).require_reason):
                    continue
                one.used.add(by)
                out = True
        return out

    def suppressions(self, path: str) -> list[Suppression]:
        """The suppressions in a file."""
        if path not in self._found:
            self._found[path] = []
            if path in self.silent:
                return []
            from torchlosslint.sources.suppressions import has_words, suppressions

            source = read(path)
            if isinstance(source, SourceError):  # a TLL001 can be suppressed as well
                data = read_bytes(path)
                text = "" if isinstance(data, SourceError) else data.decode("utf-8", "replace")
                source = Source("" if is_notebook(path) else text)
            self._cells[path] = source.cells
            if has_words(source.text):
                self._found[path] = suppressions(source.text, self.names)
        return self._found[path]

    def lines(self, at: Location) -> Iterable[int]:
        """The lines of a span in which a suppression may stand: of the program, for a notebook's cell."""
        lines: Iterable[int] = range(at.line, at.end_line + 1)
        if at.end_line - at.line > LONGEST:
            lines = (at.line, at.end_line)
        cells = self._cells.get(at.path)
        if at.cell is None or cells is None:
            return lines
        return [cells.first(at.cell) + line - 1 for line in lines]

    def unused(self, worded: Iterable[str], failed: set[str]) -> Iterable[Finding]:
        """TLL002 for the suppressions of files that hide nothing, or cannot be understood."""
        for path in worded:
            if not self.shown(UNUSED, path):
                continue
            found = self.suppressions(path)
            if any(not s.target and s.hides(UNUSED, self.rules[UNUSED].name) is not None for s in found):
                continue
            whole = path in self.walked and path not in failed
            for one in found:
                if UNUSED not in map(str.upper, one.codes):
                    for message, help_text in self.complaints(one, path, whole):
                        yield self.weighed(self.finding(message, help_text, self.where(one, path)))

    def where(self, one: Suppression, path: str) -> Location:
        """The place of a suppression."""
        cells = self._cells.get(path)
        cell, line = (None, one.line) if cells is None else cells.place(one.line)
        return Location(path, line, one.column, line, one.end_column, cell)

    def complaints(self, one: Suppression, path: str, whole: bool) -> Iterable[tuple[str, str]]:
        """What is wrong with one suppression: messages, each with what to do."""
        if one.wrong:
            yield f"This suppression cannot be understood, and hides nothing: {one.wrong}.", _FORM
            return
        if one.bare_noqa:
            return
        known = [code for code in one.codes if self.meant(code)]
        unknown = [c for c in one.codes if c not in known and (one.own or c.upper().startswith("TLL"))]
        for code in unknown:
            near = nearest(code, [*self.rules, *self.names])
            hint = f"Did you mean {near}?" if near else "`torchlosslint rules` lists the rules."
            yield f"{code} is no rule that torchlosslint knows: this hides nothing.", hint
        if (known or (one.own and not one.codes)) and not one.reason and self.of(path).require_reason:
            yield (
                "This suppression gives no reason, so it hides nothing (require-reason).",
                "Say why after it: # torchlosslint: ignore[TLL101] the reason",
            )
            return
        if not whole:
            return
        idle = [c for c in known if c not in one.used and any(self.shown(r, path) for r in self.meant(c))]
        if one.own and not one.codes and "" not in one.used:
            yield "This suppression hides nothing: there is no finding here.", _gone(one)
        elif idle:
            listed = ", ".join(idle)
            yield f"This suppression of {listed} hides nothing: there is no such finding here.", _gone(one)

    def meant(self, text: str) -> list[str]:
        """The codes that a code, prefix or name in a suppression means."""
        lower = text.lower()
        if lower in self.names:
            return [self.names[lower]]
        return [code for code in self.rules if code.lower().startswith(lower)] if len(lower) > 2 else []

    def finding(self, message: str, help_text: str, where: Location) -> Finding:
        """A TLL002."""
        rule = self.rules[UNUSED]
        return Finding(rule.code, rule.name, rule.severity, "certain", message, help_text, where)

    # ---- baseline

    def over(
        self, findings: list[Finding], known: baseline.Baseline, report: Report, failed: set[str]
    ) -> list[Finding]:
        """The findings that the baseline does not know, and its entries that nothing answers to."""
        groups: dict[tuple[str, str], list[Finding]] = defaultdict(list)
        for finding in findings:
            groups[baseline.key_of(finding)].append(finding)
        kept: list[Finding] = []
        for key, group in groups.items():
            if len(group) > known.counts.get(key, 0):
                kept.extend(group)
            else:
                report.baselined += len(group)
        if not self.shown(UNUSED, known.path):
            return kept
        found = Counter({key: len(group) for key, group in groups.items()})
        walked = {os.path.abspath(path).replace(os.sep, "/"): path for path in self.walked - failed}
        stale: list[Finding] = []
        for key, count in known.counts.items():
            path, code = key
            gone = not os.path.exists(path)
            if found[key] >= count or not (gone or path in walked):
                continue
            if not gone and code in self.rules and not self.shown(code, walked[path]):
                continue
            said = "the file is gone" if gone else f"{found[key] or 'none'} left"
            message = f"The baseline has {count} {code} of {os.path.relpath(path)}: {said}."
            line = known.lines[key]
            where = Location(known.path.replace(os.sep, "/"), line, 1, line, 1)
            stale.append(self.finding(message, "Write the baseline anew with --write-baseline.", where))
        return kept + stale


_FORM = "Write # torchlosslint: ignore[TLL101] reason, or ignore-next-line[...], or ignore-file[...]."


def _gone(one: Suppression) -> str:
    if one.own and one.alone and one.target == one.line:
        return "Remove it; what hides findings in the line below is ignore-next-line[...]."
    return "Remove it."


def _places(finding: Finding) -> list[Location]:
    """Where a suppression of a finding may stand: at the loss call, and at the cause."""
    places = [finding.location]
    if finding.flow:
        # The cause comes first; where the loss is called further inside, that comes last.
        places += [finding.flow[0].location, finding.flow[-1].location]
    return places


__all__ = ["UNUSED", "Sieve"]
