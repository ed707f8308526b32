"""Warnings that repeat: said once, again when they change or every ten minutes, and when they are over.

A service that is down says the same in every cycle, thousands of times a day; a line for each would hide the one that
is new. One that comes and goes is not over before it has stayed away for some cycles.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from enum import Enum

from attrs import define, frozen

AGAIN_SEC = Decimal(600)
OVER_AFTER = 3  # cycles without it


class News(Enum):
    """What is new about a warning."""

    NEW = "new"
    AGAIN = "again"  # it still holds, ten minutes after it was said last
    OVER = "over"


@frozen(kw_only=True)
class Told:
    """One warning that is worth a line now: since when it holds, and in how many cycles it was there."""

    news: News
    words: str
    since: Decimal
    cycles: int


@define(kw_only=True)
class _Kept:
    since: Decimal
    said_at: Decimal
    cycles: int = 1
    missing: int = 0  # cycles since it was there last


class Folded:
    """The warnings of a run, cycle by cycle. `current` is what holds now, with how often it was there."""

    def __init__(self, again_sec: Decimal = AGAIN_SEC) -> None:
        self._again_sec = again_sec
        self._kept: dict[str, _Kept] = {}

    @property
    def current(self) -> dict[str, int]:
        return {words: kept.cycles for words, kept in self._kept.items() if not kept.missing}

    def take(self, warnings: Iterable[str], now: Decimal) -> Iterator[Told]:
        """The warnings of one cycle; give back those that are worth saying."""
        present = dict.fromkeys(warnings)
        for words in present:
            kept = self._kept.get(words)
            if kept is None:
                self._kept[words] = _Kept(since=now, said_at=now)
                yield Told(news=News.NEW, words=words, since=now, cycles=1)
                continue
            kept.cycles, kept.missing = kept.cycles + 1, 0
            if now - kept.said_at >= self._again_sec:
                kept.said_at = now
                yield Told(news=News.AGAIN, words=words, since=kept.since, cycles=kept.cycles)
        for words in [words for words in self._kept if words not in present]:
            kept = self._kept[words]
            kept.missing += 1
            if kept.missing >= OVER_AFTER:
                del self._kept[words]
                yield Told(news=News.OVER, words=words, since=kept.since, cycles=kept.cycles)
