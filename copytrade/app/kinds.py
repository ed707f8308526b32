"""What our own words look like in a document: the kinds that the configuration and the snapshot share.

Token keys, condition ids and addresses are compared in lower case (DESIGN 8), so they are read into it. How long
they are is not judged: "0xc1:0" is a token key. A token id is judged, since it is what is signed.
"""

from __future__ import annotations

import re

from copytrade.app.reading import Kind, Spot, number, text_at, whole
from copytrade.domain.ids import is_canonical
from copytrade.domain.model import Side

_ADDRESS = re.compile(r"0[xX][0-9a-fA-F]{40}")
_WORD = re.compile(r"[!-~]+")  # visible ASCII, no spaces
_TOKEN_KEY = re.compile(r"[!-~]+:(?:0|[1-9][0-9]{0,8})")


def _lower(pattern: re.Pattern[str], wants: str) -> Kind[str]:
    def convert(spot: Spot) -> str | None:
        text = text_at(spot)
        return text.lower() if text is not None and pattern.fullmatch(text) else None

    return Kind(wants, convert)


def _side_at(spot: Spot) -> Side | None:
    return {"BUY": Side.BUY, "SELL": Side.SELL}.get(text_at(spot) or "")


def _token_id_at(spot: Spot) -> str | None:
    text = text_at(spot)
    return text if text is not None and is_canonical(text) else None


def _address_or_name_at(spot: Spot) -> str | None:
    text = text_at(spot)
    # One that was shortened for printing, "0x…", could be anybody's: it is nobody's, and never the same as another.
    return None if text is None else "" if "…" in text else text.lower()


def _word_at(spot: Spot) -> str | None:
    text = text_at(spot)
    return text if text is not None and _WORD.fullmatch(text) else None


def _url_at(spot: Spot) -> str | None:
    """An address without its last slash. No user, no query: neither belongs in a configuration."""
    from urllib.parse import urlsplit  # here, since few documents hold a URL and it takes its time

    text = text_at(spot)
    if text is None or not _WORD.fullmatch(text) or "\\" in text:
        return None
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port  # the port is checked when it is asked for
    except ValueError:
        return None
    if not host or "@" in parts.netloc or "?" in text or "#" in text:
        return None
    secure = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))
    return text.rstrip("/") if secure else None


def _is_loopback(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


TOKEN_KEY = _lower(_TOKEN_KEY, 'a token key, "{condition_id}:{outcome_index}"')
CONDITION_ID = _lower(_WORD, "a condition id")
ADDRESS = _lower(_ADDRESS, "an address: 0x and 40 hex digits")
ADDRESS_OR_NAME = Kind[str]("an address", _address_or_name_at)  # where nothing is signed or asked for
TOKEN_ID = Kind[str]("a token id: a decimal number below 2^256, as text, without leading zeros", _token_id_at)
ORDER_ID = Kind[str]("an order id", _word_at)
OUTCOME_INDEX = whole(0, 999_999_999)
SIDE = Kind[Side]('"BUY" or "SELL"', _side_at)
SHARES = number(least=0)
SOME_SHARES = number(above=0)
PUSD = number(least=0)
SECONDS = number(least=0)
PRICE = number(above=0, below=1)
PRICE_OR_UNKNOWN = number(least=0, most=1)  # of a resolved market too; 0 = unknown
URL = Kind[str]("an https address (plain http on this machine only), without user, query or fragment", _url_at)
