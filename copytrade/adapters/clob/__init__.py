"""The exchange's order book service (CLOB) over real HTTP: the ports MarketData and Account.

market_data.py  books and the clock, without a key
account.py      orders, fills and balances of one wallet
checking.py     account state, allowances, region: what a check asks before a run
session.py      API credentials, signed headers
decoding.py     answers to reads -> records
posting.py      answers to posts and cancels -> what is known of each order
refusals.py     what the exchange's words mean
pacing.py       the exchange's token buckets
"""

from copytrade.adapters.clob.account import WARM, ClobAccount
from copytrade.adapters.clob.checking import AccountState, ClobChecks, Site
from copytrade.adapters.clob.market_data import ClobMarketData
from copytrade.adapters.clob.pacing import CANCELS, ORDERS, Limit
from copytrade.adapters.clob.session import ClobHttp

__all__ = [
    "CANCELS",
    "ORDERS",
    "WARM",
    "AccountState",
    "ClobAccount",
    "ClobChecks",
    "ClobHttp",
    "ClobMarketData",
    "Limit",
    "Site",
]
