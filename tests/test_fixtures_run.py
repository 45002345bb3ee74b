"""Every fixture is a program that runs: the comments in its head say where it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fixture_programs import Worker, head, named, programs, skip_where_something_is_missing, working


@pytest.fixture(scope="session")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with working(tmp_path_factory.mktemp("fixtures"), guarded=False) as found:
        yield found


@pytest.mark.parametrize("start", programs(), ids=named)
def test_fixture_runs(start: Path, worker: Worker) -> None:
    skip_where_something_is_missing(start)
    key, words = head(start)
    answer = worker.run(start)
    assert answer["raised"] == (words[0] if key == "raises" else ""), answer["text"]
