"""The three contracts that an order can be signed for, and which of them a token is traded at.

Source: API.md "Two kinds of market"; the addresses are the vendor's (py_clob_client_v2.config), as the tests check.
"""

from enum import Enum

from copytrade.domain.ids import IdKind, kind_of
from copytrade.errors import BadInput, Fault

POLYGON, AMOY = 137, 80002  # the chain, and its test net


class Exchange(Enum):
    """A verifying contract with its EIP-712 domain version. The domain's name is the same for all."""

    # (domain version, address on Polygon, address on Amoy)
    CTF_V2 = (
        "2",
        "0xE111180000d2663C0091e4f400237545B87B996B",
        "0xE111180000d2663C0091e4f400237545B87B996B",
    )  # protocol V1, ordinary markets
    NEG_RISK_V2 = (
        "2",
        "0xe2222d279d744050d28e00520010520000310F59",
        "0xe2222d279d744050d28e00520010520000310F59",
    )  # likewise, neg-risk
    V3 = ("3", "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa", "0x9fE6e61422AdB6F610d8597F9684b16912D50C3D")

    def __init__(self, domain_version: str, on_polygon: str, on_amoy: str) -> None:
        self.domain_version = domain_version
        self._addresses = {POLYGON: on_polygon, AMOY: on_amoy}

    def address(self, chain_id: int = POLYGON) -> str:
        """The contract's address. Raises BadInput for a chain that the exchange is not on."""
        if chain_id not in self._addresses:
            wants = f"one of {', '.join(map(str, self._addresses))}"
            raise BadInput("signing", [Fault(path="chain_id", got=str(chain_id), wants=wants)])
        return self._addresses[chain_id]


def exchange_for(token_id: str, neg_risk: bool) -> Exchange:
    """Where this token is traded: by the shape of its id, and by its book's `neg_risk` where the id does not say.

    Raises BadInput for what must never be signed: a combo (it has no order book) and an id that is not canonical.

    >>> exchange_for("456322662693127080402085893806415780684933579476723864069977356327020658688", False).name
    'V3'
    >>> exchange_for("69515744437473089728151261939146426925489297565662421305942992110046228478629", True).name
    'NEG_RISK_V2'
    """
    match kind_of(token_id):
        case IdKind.V2_BINARY | IdKind.V2_NEG_RISK:
            return Exchange.V3
        case IdKind.CTF:
            return Exchange.NEG_RISK_V2 if neg_risk else Exchange.CTF_V2
        case odd:
            got = f"{token_id!r} ({odd.value})"
            fault = Fault(path="token_id", got=got, wants="a CTF token id or a V2 position id, in canonical decimal")
            raise BadInput("order", [fault], "not signed")
