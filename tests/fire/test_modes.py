"""What the exchange, as a whole or for this account, does not take: waited out with the reason shown, or the end.

The real adapters over HTTP against the embedded exchange. What is waited out is asked again each cycle, holds no token,
and stands on the screen; what will not pass ends the run with exit code 3 and what to do. Source: API.md "Orders".
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from copytrade.adapters.simulated.faults import Endpoint, Fault, Kind
from copytrade.adapters.simulated.records import Mode
from copytrade.adapters.simulated.scenario import LEADER, restart, small_world, yes_of
from copytrade.adapters.simulated.server import serve
from copytrade.app import executing
from copytrade.app.cli._lines import cycle_lines
from copytrade.app.outcomes import AccountRefused, Cycle, Result
from tests.e2e.driving import ME, D, Story, config_of, ended, ours, run_until, started, world_of, write_config
from tests.fire.truth import assert_state_is_readable, watched

Script = Mapping[int, Callable[[], object]]
STEADY: dict[str, Any] = {"order_ttl_sec": D(60), "settle_timeout_sec": D(120)}


def follow(world, folder, script: Script, cycles: int, **settings: Any) -> Story:
    """Follow for so many cycles; `script` says what happens after which of them (0: before the first)."""
    script.get(0, lambda: None)()

    def enough(story: Story) -> bool:
        script.get(len(story.cycles), lambda: None)()
        return len(story.cycles) == cycles

    async def talk() -> Story:
        async with serve(world) as urls:
            return await run_until(config_of(urls, folder, **(STEADY | settings)), enough)

    return asyncio.run(talk())


def said(cycle: Cycle) -> str:
    return "\n".join(cycle_lines(cycle, requests=0, every_token=False))


def places(cycle: Cycle) -> list[tuple[str, str]]:
    return [(one.outcome, one.words) for one in cycle.results if one.action == "place"]


def mode_is(world, mode: Mode) -> Callable[[], object]:
    return lambda: setattr(world.exchange, "mode", mode)


def sooner(world) -> Callable[[], object]:
    """Let what the world would do next be done now."""
    return lambda: world.story.pop(0).deed(world.exchange)


RESTARTING = "matching engine is restarting"
DISABLED = "Trading is currently disabled. Check polymarket.com for updates"
CANCEL_ONLY = "Trading is currently cancel-only. New orders are not accepted, but cancels are allowed."
POST_ONLY = "post-only mode: only post-only orders and cancels are allowed"


class TestModesThatAreWaitedOut:
    @pytest.mark.parametrize(
        ("mode", "words"),
        [(Mode.RESTARTING, RESTARTING), (Mode.DISABLED, DISABLED), (Mode.CANCEL_ONLY, CANCEL_ONLY)],
    )
    def test_no_order_is_taken_and_the_reason_is_shown_each_cycle(self, mode, words, tmp_path):
        world = world_of(tokens=2)
        script = {0: mode_is(world, mode), 3: mode_is(world, Mode.NORMAL)}
        with watched(world) as truth:
            story = follow(world, tmp_path, script, cycles=4)
        for cycle in story.cycles[:3]:
            assert places(cycle) == [("refused", words)] * 2
            assert said(cycle).count(f"refused: {words}") == 2
        assert [outcome for outcome, _ in places(story.cycles[3])] == ["accepted"] * 2  # at once: nothing was on hold
        assert (truth.wrongs, ours(world)) == ([], [])

    @pytest.mark.parametrize(("mode", "confirmed"), [(Mode.DISABLED, False), (Mode.CANCEL_ONLY, True)])
    def test_a_cancel_that_is_not_taken_keeps_the_token_to_its_one_order(self, mode, confirmed, tmp_path):
        """DESIGN 3: a place for a token whose cancel was not confirmed is dropped, and decided again."""
        world = world_of(tokens=1, leader_holds="400")  # of which 80 are wanted: more than a slice
        script = {1: mode_is(world, mode), 4: mode_is(world, Mode.NORMAL)}
        with watched(world) as truth:
            story = follow(world, tmp_path, script, cycles=8, order_ttl_sec=D("0.001"))
        during = [one for cycle in story.cycles[1:4] for one in cycle.results]
        cancels = [one.outcome for one in during if one.action == "cancel"]
        outcomes = {one.outcome for one in during if one.action == "place"}
        if confirmed:
            assert cancels == ["confirmed"]
            assert outcomes == {"refused"}
        else:
            assert cancels == ["unconfirmed"] * 3
            assert outcomes == {"dropped"}
            assert all(f"unconfirmed: {DISABLED}" in said(cycle) for cycle in story.cycles[1:4])
        assert len(truth.accepted) > 1
        assert (truth.wrongs, ours(world)) == ([], [])

    def test_a_restart_and_the_post_only_minutes_after_it(self, tmp_path):
        """Our orders are post-only, so that they are taken as soon as the engine is back."""
        world = world_of(tokens=1)
        script = {0: lambda: restart(world, for_sec=D(3600)), 2: sooner(world)}
        with watched(world) as truth:
            story = follow(world, tmp_path, script, cycles=3)
        outcomes = [outcome for cycle in story.cycles for outcome, _ in places(cycle)]
        assert (outcomes, world.exchange.mode) == (["refused", "refused", "accepted"], Mode.POST_ONLY)
        assert (len(truth.accepted), truth.wrongs) == (1, [])

    def test_a_taker_waits_for_the_post_only_minutes_to_end(self, tmp_path):
        world = world_of(tokens=1)
        script = {0: lambda: restart(world, for_sec=D(3600)), 1: sooner(world), 2: sooner(world)}
        story = follow(world, tmp_path, script, cycles=3, maker_only=False)
        assert [words for cycle in story.cycles for _, words in places(cycle)] == [RESTARTING, POST_ONLY, ""]
        assert [order.status.value for order in world.exchange.orders.values()] == ["MATCHED"]


class TestTheEmbeddedExchange:
    def test_restarts_by_its_own_clock(self):
        shows = [D(1_766_000_000)]
        world = small_world(lambda: shows[0], me=ME, tokens=1)
        restart(world, for_sec=D(30))
        modes = []
        for after in (0, 29, 1, 119, 1):
            shows[0] += after
            world.now()
            modes.append(world.exchange.mode)
        assert modes == [Mode.RESTARTING, Mode.RESTARTING, Mode.POST_ONLY, Mode.POST_ONLY, Mode.NORMAL]


class TestRateLimits:
    @pytest.mark.parametrize("headers", [{}, {"Retry-After": "1"}])
    def test_orders_that_are_too_many_are_sent_again_when_they_may_be(self, headers, tmp_path):
        world = world_of(tokens=2)
        world.faults.add(Endpoint.POST_ORDERS, Fault(kind=Kind.STATUS, status=429, headers=headers))
        begun = world.now()
        with watched(world) as truth:
            story = follow(world, tmp_path, {}, cycles=2)
        assert places(story.cycles[0]) == [("refused", "Too Many Requests")] * 2
        assert said(story.cycles[0]).count("refused: Too Many Requests") == 2
        assert [outcome for outcome, _ in places(story.cycles[1])] == ["accepted"] * 2
        [first, _] = world.exchange.orders.values()
        assert first.created_at >= begun + int(headers.get("Retry-After", 0))
        assert (len(truth.accepted), truth.wrongs) == (2, [])

    @pytest.mark.parametrize("headers", [{}, {"Retry-After": "1"}])
    def test_cancels_that_are_too_many(self, headers, tmp_path):
        world = world_of(tokens=1, leader_holds="400")
        world.faults.add(Endpoint.CANCEL_ORDERS, Fault(kind=Kind.STATUS, status=429, headers=headers))
        with watched(world) as truth:
            story = follow(world, tmp_path, {}, cycles=4, order_ttl_sec=D("0.001"))
        outcomes = [one.outcome for cycle in story.cycles for one in cycle.results if one.action == "cancel"]
        assert outcomes[:2] == ["unconfirmed", "confirmed"]
        assert "unconfirmed: Too Many Requests" in "".join(map(said, story.cycles))
        assert (truth.wrongs, ours(world)) == ([], [])

    @pytest.mark.parametrize(
        ("headers", "tries", "mode"),
        [({}, 3, "normal"), ({"Retry-After": "1"}, 2, "normal"), ({"Retry-After": "60"}, 1, "safe")],
    )
    def test_positions_are_asked_for_again_or_done_without(self, headers, tries, mode, tmp_path):
        """API.md: the Data-API says 429 without Retry-After. A wait beyond our patience is left to a later cycle."""
        world = world_of(tokens=1)
        fault = Fault(kind=Kind.STATUS, status=429, headers=headers, times=max(tries - 1, 1))
        world.faults.add(Endpoint.POSITIONS_V2, fault)
        begun = world.now()
        story = follow(world, tmp_path, {}, cycles=2)
        assert [cycle.plan.mode.value for cycle in story.cycles] == [mode, "normal"]
        assert len(world.exchange.orders) == 1
        if mode == "safe":
            assert "positions are not to be had" in said(story.cycles[0])
        elif headers:
            assert next(iter(world.exchange.orders.values())).created_at >= begun + 1


class TestAStaleBalanceCache:
    """API.md, Orders: "not enough balance" may only mean that the exchange's cache is old: refresh it, then hold."""

    def refused(self, story: Story) -> list[Result]:
        return [one for cycle in story.cycles for one in cycle.results if one.outcome == "refused"]

    def test_a_buy_that_is_refused_refreshes_the_cash_and_holds_the_token(self, tmp_path):
        world = world_of(tokens=1, cash="100")
        world.exchange.manners.stale_balances = True
        world.exchange.wallets[ME.lower()].cached[""] = D(100)
        world.exchange.give(ME, D(-95))  # spent elsewhere, and the exchange has not noticed
        story = follow(world, tmp_path, {}, cycles=3)
        [refused] = self.refused(story)
        assert refused.words == "not enough balance / allowance"
        assert world.count[Endpoint.REFRESH] == 1
        assert [one.reason.value for cycle in story.cycles[1:] for one in cycle.plan.decisions] == ["ON_HOLD"] * 2
        assert story.cycles[1].snapshot.cash == 5

    def test_without_cash_it_is_looked_for_once_a_minute(self, tmp_path):
        world = world_of(tokens=1, cash="1")
        story = follow(world, tmp_path, {}, cycles=4)
        assert {one.reason.value for cycle in story.cycles for one in cycle.plan.decisions} == {"NO_CASH"}
        assert world.count[Endpoint.REFRESH] == 1

    def test_money_that_came_in_is_seen(self, tmp_path, monkeypatch):
        """Without a refresh, a deposit would stay unseen: nothing is posted, so nothing is ever refused."""
        monkeypatch.setattr(executing, "CASH_REFRESH_SEC", 0)
        world = world_of(tokens=1, cash="1")
        world.exchange.manners.stale_balances = True
        script = {2: lambda: world.exchange.give(ME, D(500))}
        story = follow(world, tmp_path, script, cycles=8)
        assert [one.reason.value for one in story.cycles[0].plan.decisions] == ["NO_CASH"]
        assert len(world.exchange.orders) == 1

    def test_a_sale_that_is_refused_refreshes_that_token(self, tmp_path):
        world = world_of(tokens=1, mine={1: "40"})  # which the leader does not hold
        world.exchange.manners.stale_balances = True
        token_id = yes_of(world, 1)
        world.exchange.wallets[ME.lower()].cached[token_id] = D(0)  # they have just arrived
        story = follow(world, tmp_path, {}, cycles=2)
        [refused] = self.refused(story)
        assert (refused.words, refused.token_id) == ("not enough balance / allowance", token_id)
        assert world.exchange.balance(ME.lower(), token_id) == 40


class TestWhatEndsTheRun:
    """DESIGN 3: a refusal of the account stops the run with exit code 3 and what to do; ours are taken down first."""

    @pytest.mark.parametrize("flaw", ["banned", "closed_only"])
    def test_an_account_that_is_refused(self, flaw, tmp_path):
        world = world_of(tokens=2)
        world.exchange.hold(LEADER, yes_of(world, 1), D(0))

        def refuse() -> None:
            setattr(world.exchange.wallets[ME.lower()], flaw, True)
            world.exchange.hold(LEADER, yes_of(world, 1), D(100))

        with pytest.raises(AccountRefused, match="Check at the exchange that it may trade from here") as caught:
            follow(world, tmp_path, {1: refuse}, cycles=10)
        assert {"banned": "address banned", "closed_only": "closed only mode"}[flaw] in str(caught.value)
        assert len(world.exchange.orders) == 1
        assert ours(world) == []
        assert_state_is_readable(tmp_path)

    def test_a_client_that_is_too_old(self, tmp_path):
        world = world_of(tokens=2)
        world.clob_version = 3
        with pytest.raises(AccountRefused, match=r"\(order_version_mismatch\): update copytrade"):
            follow(world, tmp_path, {}, cycles=10)
        assert world.count[Endpoint.POST_ORDERS] == 1
        assert world.exchange.orders == {}

    def test_the_process_ends_with_3_and_one_message(self, tmp_path):
        world, old = world_of(tokens=1), world_of(tokens=1)

        def ban() -> None:
            world.exchange.wallets[ME.lower()].banned = True

        def update() -> None:
            old.clob_version = 3

        # What is so already is told before a run starts; here it comes to be while it goes on.
        world.faults.add(Endpoint.POST_ORDERS, Fault(kind=Kind.NONE, deed=ban))
        old.faults.add(Endpoint.POST_ORDERS, Fault(kind=Kind.NONE, deed=update))

        async def one(each, folder):
            folder.mkdir()
            async with serve(each) as urls:
                write_config(urls, folder)
                async with started(folder, "--yes") as process:
                    return await ended(process)

        async def talk():
            return await asyncio.gather(one(world, tmp_path / "banned"), one(old, tmp_path / "old"))

        banned, too_old = asyncio.run(talk())
        assert (banned.code, too_old.code) == (3, 3)
        assert banned.err.startswith("the exchange refuses this account ('0x")
        assert too_old.err.startswith("the exchange does not take this client's orders (order_version_mismatch)")
        assert (banned.err + too_old.err).count("\n") == 2
        assert (world.count[Endpoint.POST_ORDERS], old.count[Endpoint.POST_ORDERS]) == (1, 1)
