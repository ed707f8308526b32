"""A warning that repeats is said once, again when it changes or each ten minutes, and when it is over."""

from decimal import Decimal

from copytrade.app.folding import Folded


def told(*cycles: str, every: int = 20) -> list[str]:
    """What is worth a line in cycles with these warnings ("a b" is two of them, "" none)."""
    folded, lines = Folded(), []
    for number, warnings in enumerate(cycles):
        now = Decimal(number * every)
        lines += [f"{now}: {one.news.value} {one.words} x{one.cycles}" for one in folded.take(warnings.split(), now)]
    return lines


def test_once_and_again_after_ten_minutes():
    assert told(*["a"] * 65) == ["0: new a x1", "600: again a x31", "1200: again a x61"]


def test_each_by_itself_and_the_same_twice_in_a_cycle_once():
    assert told("a", "a b", "b b") == ["0: new a x1", "20: new b x1"]


def test_a_change_is_news():
    assert told("left=3", "left=3", "left=2") == ["0: new left=3 x1", "40: new left=2 x1"]


def test_it_is_over_when_it_has_stayed_away():
    assert told("a", "a", "", "", "") == ["0: new a x1", "80: over a x2"]
    assert told("a", "", "", "", "a") == ["0: new a x1", "60: over a x1", "80: new a x1"]


def test_what_comes_and_goes_is_said_once():
    assert told(*["a", ""] * 10) == ["0: new a x1"]


def test_what_holds_now():
    folded = Folded()
    list(folded.take(["a", "b"], Decimal(0)))
    list(folded.take(["b"], Decimal(20)))
    assert folded.current == {"b": 2}
