"""Answers that have gone wrong: JSON with values swapped, dropped, repeated or nested, and texts with bytes changed."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import strategies as st

ODD_VALUES: tuple[object, ...] = (
    None, True, False, 0, -1, 1, 999, 256, 2**64, -(2**63), 10**40, 0.0, -0.5, 1e308, 5e-324, "", "0", "-0", "NaN",
    "Infinity", "1e999999999", "0x", "0123", "1" * 100, "\u0661", "\ud83d\ude00", "\x00", "\x1b[2J", [], {}, [[]],
    [None], {"": None}, "[]", '["1"]', '["', "null", "v1", "V2", "v3", "OPEN",
)  # fmt: skip


@st.composite
def mutated_json(draw: st.DrawFn, document: Any) -> bytes:
    """`document` as JSON, after some changes of its structure and perhaps of its bytes."""
    for _ in range(draw(st.integers(0, 3))):
        document = _changed(draw, document)
    return _spoilt(draw, json.dumps(document).encode(), draw(st.sampled_from([0, 0, 0, 1, 2])))


@st.composite
def mutated_text(draw: st.DrawFn, text: bytes) -> bytes:
    """`text` with lines dropped, repeated or swapped, a word of it exchanged, and perhaps some of its bytes changed."""
    lines = text.splitlines(keepends=True)
    for _ in range(draw(st.integers(0, 2))):
        at, other = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        match draw(st.sampled_from(["drop", "repeat", "swap", "word", "word"])):
            case "drop" if len(lines) > 1:
                del lines[at]
            case "repeat":
                lines.insert(at, lines[at])
            case "swap":
                lines[at], lines[other] = lines[other], lines[at]
            case _:
                words = re.split(rb"([,:])", lines[at])
                words[draw(st.integers(0, len(words) - 1))] = str(draw(st.sampled_from(ODD_VALUES))).encode(
                    errors="replace"
                )
                lines[at] = b"".join(words)
    return _spoilt(draw, b"".join(lines), draw(st.sampled_from([0, 0, 1, 2])))


def _spoilt(draw: st.DrawFn, text: bytes, times: int) -> bytes:
    """`text` after so many changes of its bytes."""
    raw = bytearray(text)
    for _ in range(times):
        if not raw:
            break
        start = draw(st.integers(0, len(raw) - 1))
        match draw(st.sampled_from(["cut", "drop", "put", "repeat"])):
            case "cut":
                del raw[start:]
            case "drop":
                del raw[start : start + draw(st.integers(1, 8))]
            case "put":
                raw[start : start + 1] = draw(st.binary(max_size=3))
            case _:
                raw[start:start] = raw[start : start + draw(st.integers(1, 40))]
    return bytes(raw)


def _changed(draw: st.DrawFn, value: Any) -> Any:
    """`value` with one change somewhere inside."""
    if isinstance(value, (dict, list)) and value and draw(st.integers(0, 5)):
        keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = draw(st.sampled_from(keys))
        copied = value.copy()
        match draw(st.sampled_from(["inside", "inside", "inside", "drop", "double"])):
            case "drop":
                del copied[key]
            case "double" if isinstance(copied, list):
                copied.append(copied[key])
            case _:
                copied[key] = _changed(draw, copied[key])
        return copied
    return draw(st.sampled_from(ODD_VALUES))
