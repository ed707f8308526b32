"""`copytrade run --once --dry-run` over the real positions of a wallet: a reason for every token, and no trace."""

import asyncio
import json
from collections import Counter

import pytest

from copytrade.adapters.simulated.faults import Endpoint
from copytrade.adapters.simulated.scenario import LEADER
from copytrade.adapters.simulated.server import serve
from copytrade.domain.model import Mode, Reason
from tests.e2e.driving import ME, D, config_of, files, run, run_until, world_of, write_config

V1 = "real/nexiumito-polycopy/data_api_positions_sample.json"
V2 = "real/polyoxide-data-v2/positions.json"


def assert_only_looked(world) -> None:
    assert world.asked, "the run asked for nothing at all"
    changed = {asked.endpoint for asked in world.asked if not asked.endpoint.startswith("GET ")}
    assert changed <= {Endpoint.BOOKS}
    private = {Endpoint.OPEN_ORDERS, Endpoint.BALANCE, Endpoint.DERIVE_KEY, Endpoint.REFRESH, Endpoint.TRADES}
    assert not private & {asked.endpoint for asked in world.asked}
    assert world.exchange.orders == {}


@pytest.mark.parametrize("version", [1, 2])
class TestRealPositions:
    """Issue 3, It must show: the recorded wallets, in both versions of the feed."""

    def world(self, version, shared):
        world = world_of(tokens=1)
        raw = json.loads(shared(V1 if version == 1 else V2).read_bytes())
        rows = raw if version == 1 else raw["data"]
        world.feed(LEADER).raw = rows
        world.serves_v2 = version == 2
        names = ("conditionId", "outcomeIndex") if version == 1 else ("condition_id", "outcome_index")
        for row in rows:  # the recordings are of their owners' wallets, this run follows ours
            row["proxyWallet" if version == 1 else "proxy_wallet"] = LEADER
        return world, rows, {f"{row[names[0]].lower()}:{row[names[1]]}" for row in rows}

    def test_every_token_has_a_decision_and_a_reason(self, version, shared, tmp_path):
        world, rows, keys = self.world(version, shared)

        async def talk():
            async with serve(world) as urls:
                config = config_of(urls, tmp_path, live=False, data_api_version=version)
                return await run_until(config, lambda _: False, once=True, dry=True)

        [cycle] = asyncio.run(talk()).cycles
        assert cycle.plan.mode is Mode.NORMAL, cycle.warnings
        assert {one.token_key for one in cycle.plan.decisions} == keys
        assert len(cycle.plan.decisions) == len(keys) == len(rows)
        reasons = Counter(one.reason for one in cycle.plan.decisions)
        assert reasons[Reason.REDEEMABLE] == sum(1 for row in rows if row["redeemable"])
        if version == 1:
            assert (len(rows), reasons[Reason.REDEEMABLE]) == (50, 40)
        # The exchange that is asked has none of these markets, so the others have an id but no book, or no safe id.
        assert reasons.keys() <= {Reason.REDEEMABLE, Reason.NO_BOOK, Reason.UNRESOLVED, Reason.COMBO, Reason.IN_BAND}
        assert_only_looked(world)
        assert files(tmp_path) == {}

    def test_the_command_needs_no_key_and_writes_nothing(self, version, shared, tmp_path):
        world, rows, _ = self.world(version, shared)

        async def talk():
            async with serve(world) as urls:
                write_config(urls, tmp_path, data_api_version=version)
                before = files(tmp_path)
                end = await run(tmp_path, "--once", "--dry-run", key=None)
                return end, before

        end, before = asyncio.run(talk())
        assert end.code == 0, end.err
        assert f"normal   {len(rows)} tokens   " in end.out
        # One line a token, each with its reason at the end.
        lines = [line for line in end.out.splitlines() if " want " in line]
        assert len(lines) == len(rows)
        assert all(line.split()[-1] in Reason.__members__ for line in lines), end.out
        assert "Traceback" not in end.err
        assert_only_looked(world)
        assert files(tmp_path) == before
        assert [path for path in tmp_path.rglob("*") if path.is_dir()] == []


class TestWhatADryRunLeaves:
    """DESIGN 7: it reads public data only, and takes own orders from the state."""

    def test_the_files_of_a_live_run_are_as_they_were(self, tmp_path):
        world = world_of(tokens=2, mine={0: "60"})

        async def talk():
            async with serve(world) as urls:
                write_config(urls, tmp_path, order_ttl_sec=60, settle_timeout_sec=120)
                config = config_of(urls, tmp_path, order_ttl_sec=D(60), settle_timeout_sec=D(120))
                await run_until(config, lambda _: True, once=True)
                assert len(world.exchange.orders) == 2
                before, orders = files(tmp_path), list(world.exchange.wallets[ME.lower()].live)
                world.forget_requests()
                return await run(tmp_path, "--once", "--dry-run", key=None), before, orders

        end, before, orders = asyncio.run(talk())
        assert end.code == 0, end.err
        assert end.out.count("RESTING") == 2
        assert files(tmp_path) == before
        assert list(world.exchange.wallets[ME.lower()].live) == orders
        changed = {asked.endpoint for asked in world.asked if not asked.endpoint.startswith("GET ")}
        assert changed <= {Endpoint.BOOKS}
