"""A picture of how costs grow: both axes logarithmic, one line a cost, as a small SVG that any browser shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 900, 560
LEFT, RIGHT, TOP, BOTTOM = 80, 250, 30, 60
COLOURS = (
    "#4269d0",
    "#efb118",
    "#ff725c",
    "#6cc5b0",
    "#3ca951",
    "#ff8ab7",
    "#a463f2",
    "#97bbf5",
    "#9c6b4e",
    "#9498a0",
    "#333333",
)


def drawing(curves: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """The picture of these curves of (size, seconds)."""
    points = [point for curve in curves.values() for point in curve]
    left, right = (log10(edge(size for size, _ in points)) for edge in (min, max))
    low, high = (
        edge(log10(rounded(seconds for _, seconds in points))) for edge, rounded in ((floor, min), (ceil, max))
    )

    def x(size: float) -> float:
        return LEFT + (log10(size) - left) / (right - left) * (WIDTH - LEFT - RIGHT)

    def y(seconds: float) -> float:
        return HEIGHT - BOTTOM - (log10(seconds) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><title>How costs grow with the number of tokens</title>'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
    ]
    for power in range(low, high + 1):
        at = y(10**power)
        lines.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#ddd"/>')
        lines.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{_seconds(power)}</text>')
    for size in sorted({size for size, _ in points}):
        at = x(size)
        lines.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#eee"/>')
        lines.append(f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{size:,.0f}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    lines.append(f'<text x="{middle:.0f}" y="{HEIGHT - 14}" text-anchor="middle">tokens, rows or orders</text>')
    ends = sorted((y(curve[-1][1]), name) for name, curve in curves.items())
    label_at = dict(zip((name for _, name in ends), _apart([at for at, _ in ends]), strict=True))
    for colour, (name, curve) in zip(_cycled(len(curves)), curves.items(), strict=True):
        path = " ".join(f"{x(size):.1f},{y(seconds):.1f}" for size, seconds in curve)
        last = WIDTH - RIGHT + 10
        lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        lines += [
            f'<circle cx="{x(size):.1f}" cy="{y(seconds):.1f}" r="3" fill="{colour}"/>' for size, seconds in curve
        ]
        lines.append(f'<text x="{last}" y="{label_at[name] + 4:.1f}" fill="{colour}">{escape(name)}</text>')
    low_size, high_size = 10**left, 10**right
    ideal = 10**low * 1.5
    lines.append(
        f'<line x1="{x(low_size):.1f}" y1="{y(ideal):.1f}" x2="{x(high_size):.1f}" '
        f'y2="{y(min(ideal * high_size / low_size, 10**high)):.1f}" stroke="#555" stroke-dasharray="6 5"/>'
    )
    lines.append(f'<text x="{x(low_size) + 8:.1f}" y="{y(ideal) + 16:.1f}" fill="#555">dashed: linear</text>')
    return "\n".join([*lines, "</svg>\n"])


def _seconds(power: int) -> str:
    """10^power seconds in words.

    >>> [_seconds(power) for power in (-6, -4, -1, 0, 1)]
    ['1 µs', '100 µs', '100 ms', '1 s', '10 s']
    """
    for unit, shift in (("s", 0), ("ms", 3), ("µs", 6)):
        if power + shift >= 0:
            return f"{10 ** (power + shift)} {unit}"
    return f"1e{power} s"


def _apart(places: list[float], least: float = 15) -> list[float]:
    """The same places in the same order, moved down where two would overlap."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + least) if moved else place)
    over = (moved[-1] - (HEIGHT - BOTTOM)) if moved else 0
    return [place - max(over, 0) for place in moved]


def _cycled(count: int) -> list[str]:
    return [COLOURS[number % len(COLOURS)] for number in range(count)]
