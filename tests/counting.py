"""What work costs on any machine: how many calls it takes, and which files it opens."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

_opened: list[Counter[str]] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if _opened and event == "open" and isinstance(arguments[0], str):
        _opened[-1][Path(arguments[0]).name] += 1


sys.addaudithook(_hear)  # for good: Python takes none away again


@contextmanager
def opened() -> Iterator[Counter[str]]:
    """Count the files opened meanwhile, by name; of those that Arrow opens, unheard by Python, only Parquet's."""
    counts: Counter[str] = Counter()
    _opened.append(counts)

    def counted(path: Any, *arguments: Any, **options: Any) -> Any:
        counts[Path(path).name] += 1
        return parquet_file(path, *arguments, **options)

    parquet_file = pq.ParquetFile
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pq, "ParquetFile", counted)
        try:
            yield counts
        finally:
            _opened.remove(counts)


def calls(work: Callable[[], object]) -> int:
    """Count the calls of functions, Python's and C's, that work takes when it is done for the second time."""
    work()
    count = 0

    def note(_: object, event: str, __: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count
