"""The three contracts that an order can be signed for, and which of them a token is traded at.

Source: API.md "Two kinds of market"; the addresses are the vendor's (py_clob_client_v2.config).
"""

from enum import Enum
from typing import Any

from copytrade.domain.ids import IdKind, kind_of
from copytrade.errors import BadInput, Fault

POLYGON = 137


class Exchange(Enum):
    """A verifying contract with its EIP-712 domain version. The domain's name is the same for all."""

    CTF_V2 = ("exchange_v2", "2")  # protocol V1, ordinary markets
    NEG_RISK_V2 = ("neg_risk_exchange_v2", "2")  # protocol V1, neg-risk markets
    V3 = ("exchange_v3", "3")  # protocol V2, whatever its module

    def __init__(self, config_name: str, domain_version: str) -> None:
        self.config_name = config_name
        self.domain_version = domain_version

    def address(self, chain_id: int = POLYGON) -> str:
        """The contract's address. Raises BadInput for a chain that the exchange is not on."""
        from py_clob_client_v2.config import get_contract_config

        if chain_id not in _CHAINS:
            # The vendor raises a bare Exception here.
            raise BadInput("signing", [Fault(path="chain_id", got=str(chain_id), wants="one of 137, 80002")])
        return str(getattr(get_contract_config(chain_id), self.config_name))


_CHAINS = {POLYGON, 80002}  # Polygon and its test net Amoy


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


def builder(exchange: Exchange, chain_id: int, signer: Any) -> Any:
    """The vendor's order builder for one exchange: make it once, it hashes the domain.

    Its `build_order` (and `OrderDataV2`) is not used: it draws the salt, and reads the clock for a missing timestamp.
    """
    from py_clob_client_v2.order_utils import ExchangeOrderBuilderV2

    return ExchangeOrderBuilderV2(exchange.address(chain_id), chain_id, signer, domain_version=exchange.domain_version)
