"""Progress bars, as a thing that a stage is handed: a person at a terminal sees bars, a test or a library call none."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from metalight.safe_text import for_terminal


class Progress(Protocol):
    """Shows how far a piece of long work is."""

    def __call__(self, label: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """A block in which `advance(n)`, the value it gives, tells that `n` more of `total` steps are done."""


@contextlib.contextmanager
def no_progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show nothing: what library calls use by default."""
    yield lambda steps: None


def part_of(advance: Callable[[int], None]) -> Progress:
    """The progress of a part of some work: it shows no bar of its own, and its steps count in that of the whole."""

    @contextlib.contextmanager
    def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
        yield advance

    return progress


def show_note(advance: Callable[[int], None], note: str) -> None:
    """Show a few words beside a bar, such as how many failed; nothing where there is no bar to write beside."""
    if isinstance(advance, _Bar):
        advance.note(note)


class _Bar:
    """Steps of a bar, and a note beside it."""

    def __init__(self, advance: Callable[[int], None], note: Callable[[str], None]) -> None:
        self._advance, self.note = advance, note

    def __call__(self, steps: int) -> None:
        self._advance(steps)


@contextlib.contextmanager
def bar_progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar with its rate and the time left, on standard error so that standard output stays for results."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress
    from rich.table import Column

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None, table_column=Column(ratio=1)),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with RichProgress(*columns, console=Console(stderr=True), expand=True) as bars:
        task = bars.add_task(for_terminal(label), total=total, note="")
        yield _Bar(lambda steps: bars.advance(task, steps), lambda note: bars.update(task, note=for_terminal(note)))
