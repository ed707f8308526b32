"""Draw docs/pictures/live-view.svg: the live view of a run, by the very code that draws it, on a story of the tests.

python -m tests.cli.picture
"""

from __future__ import annotations

import html
import io
import re
from decimal import Decimal
from pathlib import Path

from attrs import evolve
from rich.console import Console

from copytrade.app.cli._live import THEME, rich_text
from copytrade.app.cli._table import Line
from copytrade.app.cli._view import frame
from tests.cli.stories import NOW, cycle, facts
from tests.cli.test_view import view_of

PICTURE = Path(__file__).resolve().parents[2] / "docs/pictures/live-view.svg"
WIDTH, HEIGHT = 100, 26


def lines() -> list[Line]:
    """What is drawn: everyday tokens, and some of what can be the matter."""
    whole = facts(20)
    odd = {row.token_key for row in whole.target.positions if not row.title.isascii() or "\x1b" in row.title}
    kept = [row for row in whole.target.positions if row.token_key not in odd]
    mine = [row for row in whole.mine.positions if row.token_key not in odd]
    shown = evolve(
        whole,
        target=evolve(whole.target, positions=tuple(kept)),
        mine=evolve(whole.mine, positions=tuple(mine)),
        in_doubt={},
        token_map={key: value for key, value in whole.token_map.items() if key not in odd},
    )
    return frame(view_of(cycle(shown)), WIDTH, HEIGHT, Decimal(NOW + 9))


def picture(drawn: list[Line]) -> str:
    """The SVG, which asks no other host for a font."""
    console = Console(
        record=True, width=WIDTH, theme=THEME, file=io.StringIO(), force_terminal=True, color_system="truecolor",
        highlight=False,
    )  # fmt: skip
    console.print(rich_text(drawn))
    svg = console.export_svg(title="copytrade run", unique_id="live-view")
    return re.sub(r"\s*@font-face \{.*?\}|\s*<!--.*?-->", "", svg, flags=re.S)


def words_in(svg: str) -> str:
    """The texts of a picture, without spaces."""
    texts = re.findall(r"<text [^>]*>(.*?)</text>", svg, re.S)
    return re.sub(r"\s", "", html.unescape("".join(texts)).replace("\xa0", ""))


if __name__ == "__main__":
    PICTURE.write_text(picture(lines()), encoding="utf-8")
