"""What must never be seen, and taking it out of whatever is about to be shown.

Whoever comes to know a secret calls `hide(secret)` at once: from then on `redact` finds its value in any text, in each
form in which texts carry it. Names are a second net for secrets that nobody registered: what stands under a key like
`private_key` or `POLY_PASSPHRASE` is hidden whatever it is.

The register lives as long as the process and cannot be listed or emptied: what was once a secret stays one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import quote, quote_plus

HIDDEN = "[hidden]"

# Below this a value would be found all over honest text: an 8-digit passphrase is hidden, a 4-digit one is not.
SHORTEST = 8

# Names of secrets end so, whatever stands before it: COPYTRADE_PRIVATE_KEY, POLY_API_KEY, apiKey, api_secret …
# Order signatures are no secrets, yet whoever has one can post the order.
_SECRET_NAME = re.compile(
    r"(^|_)(private_?key|signing_?key|secret|secret_?key|api_?key|pass_?phrase|password|mnemonic|seed_?phrase"
    r"|authorization|poly_signature|signature|cookie)$",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_forms: set[str] = set()
_pattern: re.Pattern[str] | None = None


def hide(secret: str | bytes) -> None:
    """Never show this value again. Safe to call twice; what is shorter than `SHORTEST` is not registered."""
    global _pattern
    forms = _forms_of(secret)
    if forms <= _forms:
        return
    _forms.update(forms)
    # The longest first, or the hex digits would be hidden and the 0x before them left standing.
    # Hexadecimal is written in both cases, so the case does not count.
    _pattern = re.compile("|".join(re.escape(form) for form in sorted(_forms, key=len, reverse=True)), re.IGNORECASE)


def redact(text: str) -> str:
    """The text with every registered secret replaced by `HIDDEN`."""
    return text if _pattern is None else _pattern.sub(HIDDEN, text)


def names_a_secret(name: str) -> bool:
    """Does what stands under this name have to be hidden, whatever it is?"""
    return _SECRET_NAME.search(_CAMEL.sub("_", name).replace("-", "_")) is not None


def redact_value(name: str, value: object) -> object:
    """A value as it may be shown under `name`: strings redacted, containers walked, names of secrets heeded.

    >>> redact_value("order", {"price": 1, "apiKey": "whatever"})
    {'price': 1, 'apiKey': '[hidden]'}
    >>> redact_value("signature_type", 3), redact_value("signature", "0x00"), redact_value("token_id", "12")
    (3, '[hidden]', '12')
    """
    if value is None or isinstance(value, bool):
        return value
    if names_a_secret(name):
        return HIDDEN
    match value:
        case str():
            return redact(value)
        case bytes() | bytearray() | memoryview():
            return redact(repr(bytes(value)))
        case Mapping():
            return {redact(str(key)): redact_value(str(key), each) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [redact_value(name, each) for each in value]
        case _:
            shown = repr(value)
            kept = redact(shown)
            return value if kept == shown else kept


def _forms_of(secret: str | bytes) -> set[str]:
    """The ways in which a text may carry it: bare, as JSON, as Python, in an address, and, of a key, as a number."""
    if isinstance(secret, bytes):
        return _forms_of(secret.hex()) | {repr(secret)[2:-1]} if secret else set()
    secret = secret.strip()
    forms = {secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], repr(secret.encode())[2:-1]}
    forms |= {quote(secret, safe=""), quote_plus(secret)}
    digits = secret[2:] if secret[:2] in {"0x", "0X"} else secret
    if re.fullmatch(r"[0-9a-fA-F]{64}", digits):
        key = bytes.fromhex(digits)
        forms |= {digits, "0x" + digits, str(int(digits, 16)), hex(int(digits, 16)), repr(key)[2:-1]}
    return {form for form in forms if len(form) >= SHORTEST}
