"""The services that Polymarket runs, connected within their limits, and what asks them.

Not here: for how long, and by whom (running.py, checking.py, tapes.py).
"""

from __future__ import annotations

import contextlib

from copytrade.adapters import data_api, resolver
from copytrade.adapters.clob import WARM, ClobAccount, ClobChecks, ClobHttp, ClobMarketData, Site
from copytrade.adapters.data_api import DataApi
from copytrade.adapters.http import Http, RequestCount
from copytrade.app.config import KEYS, Config
from copytrade.app.examining import Asked
from copytrade.app.ports import Clock


def connections(
    stack: contextlib.AsyncExitStack,
    data_api_url: str,
    gamma_api_url: str,
    clob_url: str,
    count: RequestCount,
    *,
    live: bool = False,
) -> tuple[Http, Http, ClobHttp]:
    """The three services, within their limits; closed with `stack`; `live` ones await orders. Raises BadInput."""
    data = Http(data_api_url, buckets=data_api.BUCKETS, count=count, name="data_api_url")
    gamma = Http(gamma_api_url, buckets=resolver.BUCKETS, count=count, name="gamma_api_url")
    clob = ClobHttp(clob_url, count=count, warm=WARM if live else None, name="clob_url")
    for http in (data, gamma, clob):
        stack.push_async_callback(http.aclose)
    return data, gamma, clob


def feed_of(data: Http, config: Config) -> DataApi:
    """The positions feed, as the configuration wants it asked."""
    return DataApi(
        data,
        version=config.data_api_version,
        size_threshold=config.size_threshold,
        my_address=config.policy.my_address,
    )


def asked_of(
    stack: contextlib.AsyncExitStack,
    config: Config,
    clock: Clock,
    clob: ClobHttp,
    feed: DataApi,
    account: ClobAccount | None,
    count: RequestCount,
) -> Asked:
    """Who is asked before a start. What the site says of the region holds for Polymarket's own exchange alone."""
    place = None
    production = {name: KEYS[name].default for name in ("clob_url", "geoblock_url")}
    if config.clob_url == production["clob_url"] or config.geoblock_url != production["geoblock_url"]:
        site = Http(config.geoblock_url, count=count, name="geoblock_url")
        stack.push_async_callback(site.aclose)
        place = Site(site)
    return Asked(
        clock=clock,
        market=ClobMarketData(clob),
        exchange=ClobChecks(clob),
        feed=feed,
        place=place,
        account=None if account is None else account.state(),
    )
