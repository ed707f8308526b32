"""Watchers are told in order; what one of them raises hurts neither the run nor the others."""

from decimal import Decimal
from typing import Any

import pytest

from copytrade.app.watching import Stopped, Watchers


class Notes:
    """Writes down what it is told; fails where it is told to."""

    def __init__(self, fails: tuple[str, ...] = ()) -> None:
        self.told: list[str] = []
        self._fails = fails

    def on_start(self, started: Any) -> None:
        self._take("start")

    def on_cycle(self, seen: Any) -> None:
        self._take("cycle")

    def on_stop(self, stopped: Any) -> None:
        self._take("stop")

    def _take(self, what: str) -> None:
        self.told.append(what)
        if what in self._fails:
            raise ValueError(what)


def tell_all(*watchers: Notes) -> list[tuple[str, str]]:
    """A run of two cycles; what was complained of."""
    complaints: list[tuple[str, str]] = []
    told = Watchers(watchers, complain=lambda name, error: complaints.append((name, str(error))))
    told.on_start(None)  # type: ignore[arg-type]  # these watchers look at nothing
    told.on_cycle(None)  # type: ignore[arg-type]
    told.on_cycle(None)  # type: ignore[arg-type]
    told.on_stop(Stopped(at=Decimal(0)))
    return complaints


def test_everybody_is_told_everything():
    first, second = Notes(), Notes()
    assert tell_all(first, second) == []
    assert first.told == second.told == ["start", "cycle", "cycle", "stop"]


@pytest.mark.parametrize("fails", [("start",), ("cycle",), ("stop",), ("start", "cycle", "stop")])
def test_one_that_fails_is_complained_of_once_and_told_on_like_the_others(fails):
    bad, good = Notes(fails), Notes()
    assert tell_all(bad, good) == [("Notes", fails[0])]
    assert bad.told == good.told == ["start", "cycle", "cycle", "stop"]


def test_an_interrupt_is_not_swallowed():
    class Interrupts(Notes):
        def on_cycle(self, seen: Any) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tell_all(Interrupts())
