"""What the guard saw: a table, JSON, or a picture of the labels."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import torch

from torchlosslint.runtime.findings import Finding, rank
from torchlosslint.runtime.session import SESSIONS
from torchlosslint.runtime.sites import Site

UNBALANCED = 10.0  # times: the most frequent class against the rarest one that occurs
_SHOWN = 20


@dataclass(slots=True)
class SiteReport:
    """One place. counts: labels by class over `counted` calls, empty where there are no classes."""

    path: str
    line: int
    function: str
    loss: str
    calls: int
    checked: int
    seconds: float
    counts: list[int] = field(default_factory=list)
    counted: int = 0

    @property
    def imbalance(self) -> float:
        """The most frequent class over the rarest that occurs; 1.0 where nothing is known."""
        there = [n for n in self.counts if n]
        return max(there) / min(there) if there else 1.0

    @property
    def weights(self) -> list[float]:
        """Class weights that balance these counts: total / (classes that occur * count), 0 where none."""
        there = [n for n in self.counts if n]
        return [sum(there) / (len(there) * n) if n else 0.0 for n in self.counts]


@dataclass(slots=True)
class Report:
    """str() gives the table, json() the same for programs."""

    sites: list[SiteReport]
    findings: list[Finding]
    rank: int | None = None

    @property
    def seconds(self) -> float:
        return sum(site.seconds for site in self.sites)

    def json(self) -> str:
        """One object: sites, findings, seconds spent in the guard, rank."""
        keys = ("path", "line", "function", "loss", "calls", "checked", "seconds", "counts", "counted")
        sites = [
            {**{key: getattr(s, key) for key in keys}, "imbalance": s.imbalance, "weights": s.weights}
            for s in self.sites
        ]
        found = [f.as_dict() for f in self.findings]
        return json.dumps(
            {"version": 1, "rank": self.rank, "seconds": self.seconds, "sites": sites, "findings": found}
        )

    def __str__(self) -> str:
        calls = sum(s.calls for s in self.sites)
        head = f"torchlosslint guard{'' if self.rank is None else f' [rank {self.rank}]'}: "
        head += f"{calls} loss calls at {len(self.sites)} places, {len(self.findings)} findings, "
        head += f"{self.seconds * 1e3:.1f} ms in the guard"
        lines = [head]
        if self.sites:
            lines.append("  calls  checked  loss                            place")
        for s in self.sites:
            lines.append(f"{s.calls:7}  {s.checked:7}  {s.loss:30}  {s.path}:{s.line} in {s.function}")
            lines += _labels(s)
        lines += [str(finding) for finding in self.findings]
        return "\n".join(lines)

    def picture(self, path: str) -> bool:
        """Write bars of the label counts, one row a place; False without matplotlib or labels."""
        counted = [s for s in self.sites if s.counts]
        try:
            from matplotlib.figure import Figure  # type: ignore[import-not-found, unused-ignore]
        except ImportError:
            return False
        if not counted:
            return False
        figure = Figure(figsize=(8, 2.5 * len(counted)), layout="constrained")
        axes: Any = figure.subplots(len(counted), squeeze=False)[:, 0]
        for axis, site in zip(axes, counted, strict=True):
            axis.bar(range(len(site.counts)), site.counts)
            axis.set_title(f"{site.loss} at {site.path}:{site.line}", fontsize=8)
            axis.set_xlabel("class")
            axis.set_ylabel("labels")
        figure.savefig(path)
        return True


def _labels(site: SiteReport) -> list[str]:
    if not site.counts:
        return []
    shown = ", ".join(f"{i}: {n}" for i, n in list(enumerate(site.counts))[:_SHOWN])
    more = f", and {len(site.counts) - _SHOWN} classes more" if len(site.counts) > _SHOWN else ""
    lines = [f"         labels in {site.counted} of {site.calls} calls: {shown}{more}"]
    if site.imbalance >= UNBALANCED:
        weights = ", ".join(f"{w:.3g}" for w in site.weights[:_SHOWN])
        lines.append(
            f"         TLL401 missing-class-weights [note]: the most frequent class has {site.imbalance:.3g} "
            f"times the labels of the rarest; balancing weights: [{weights}{', ...' if more else ''}]"
        )
    return lines


def report(reduce: bool = False) -> Report:
    """What was seen so far, in every guard of this process. Waits for numbers that an accelerator still has.

    What is found in these numbers is a warning where "raise" was asked for.
    reduce: add up the label counts of all ranks of torch.distributed. Every rank has to call it.
    """
    if SESSIONS:
        from torchlosslint.runtime.pending import PENDING

        PENDING.collect(wait=True, quiet=True)
    sites = [_site(site) for s in SESSIONS for site in list(s.sites.values()) if site.calls]
    if reduce and rank() is not None:
        _add_up(sites)
    return Report(sites, [f for s in SESSIONS for f in s.findings], rank())


def _site(site: Site) -> SiteReport:
    return SiteReport(
        *(site.path, site.line, site.function, site.loss, site.calls, site.checked, site.seconds),
        [] if site.counts is None else [int(n) for n in site.counts.tolist()],
        site.counted,
    )


def _add_up(sites: list[SiteReport]) -> None:
    """Replaces label counts by those of all ranks. Objects are exchanged, not tensors: ranks may know
    different places, and NCCL takes no tensor of the CPU."""
    mine: dict[tuple[Any, ...], list[int]] = {}
    keys: list[tuple[Any, ...]] = []
    for site in sites:
        place = (site.path, site.line, site.loss)
        keys.append((*place, sum(key[:3] == place for key in keys)))  # several guards may know one place
        mine[keys[-1]] = site.counts
    every: list[Any] = [None] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(every, mine)
    for site, key in zip(sites, keys, strict=True):
        found = [counts[key] for counts in every if len(counts.get(key, ())) == len(site.counts)]
        site.counts = [sum(numbers) for numbers in zip(*found, strict=True)]
