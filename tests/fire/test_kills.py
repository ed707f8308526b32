"""`kill -9` at random moments, and each time the next process starts from the files as they were left.

A seed chooses the moments; each is one of four kinds:

    request     just before or just after the exchange acts on the N-th request of its life, or the N-th post or cancel
    call        at the N-th call of the kernel that makes the files durable (fsync, rename, link), by its own hand
    moment      some hundredths of a second after its first request
    start       while it is still starting

Meanwhile the leader's book moves, orders are taken in parts, our positions are reported seconds late and flip back.
Some seeds forget closed orders, take, or lose requests before or after they took effect.
`make fire` runs 140 kills; a few stand in the default suite.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from attrs import evolve, frozen

from copytrade.adapters.simulated import server
from copytrade.adapters.simulated.faults import Endpoint, Fault, Kind
from copytrade.adapters.simulated.records import Hits, Manners, NewOrder
from copytrade.adapters.simulated.scenario import LEADER, yes_of
from copytrade.adapters.simulated.server import serve
from copytrade.domain.model import Reason, Side
from tests.e2e.driving import ME, D, Story, config_of, ended, ours, run_until, started, until, world_of, write_config
from tests.fire.truth import assert_state_is_readable, in_state, watched

LOOKS = (Endpoint.OPEN_ORDERS, Endpoint.TRADES, Endpoint.ORDER, Endpoint.POSITIONS_V2)
CALLS = ("fsync", "replace", "link")
SETTINGS: dict[str, Any] = {
    "max_notional_per_token": D(10**6),
    "max_notional_total": D(10**6),
    "order_ttl_sec": D("1.5"),
}
KILLED = -9
MINIMUM = 5  # shares of an order, at the embedded exchange

HOOK = """
import os, signal
left = {nth}
def counted(real):
    def call(*args, **kwargs):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    return call
os.{call} = counted(os.{call})
"""


@frozen(kw_only=True)
class Moment:
    """When a life ends."""

    kind: str
    nth: int = 0
    endpoint: Endpoint | None = None  # of a request; None: any
    after_effect: bool = False
    seconds: float = 0.0
    call: str = ""

    @classmethod
    def chosen(cls, dice: Random) -> "Moment":
        match dice.choices(("request", "call", "moment", "start"), (8, 6, 4, 1))[0]:
            case "request":
                endpoint = dice.choice((None, Endpoint.POST_ORDERS, Endpoint.POST_ORDERS, Endpoint.CANCEL_ORDERS))
                nth = dice.randint(1, 40) if endpoint is None else dice.randint(1, 3)
                return cls(kind="request", nth=nth, endpoint=endpoint, after_effect=dice.random() < 0.5)
            case "call":
                call = dice.choice(CALLS)
                return cls(kind="call", call=call, nth=dice.randint(1, 12 if call == "fsync" else 6))
            case "moment":
                return cls(kind="moment", seconds=dice.uniform(0, 0.8))
            case _:
                return cls(kind="start", seconds=dice.uniform(0, 0.6))


@pytest.fixture
def at_request(monkeypatch):
    """`at_request(strike)`: `strike(endpoint, after)` is called before and after each request has its effect."""
    watchers: list[Callable[[Endpoint, bool], None]] = []
    answer = server._answer

    async def watched_answer(world, endpoint, handler, request):
        def seen(world_, ask):
            for each in watchers:
                each(endpoint, False)
            given = handler(world_, ask)
            for each in watchers:
                each(endpoint, True)
            return given

        return await answer(world, endpoint, seen, request)

    monkeypatch.setattr(server, "_answer", watched_answer)
    return lambda strike: watchers.__setitem__(slice(None), [strike])


async def live_and_die(world, folder, moment, at_request) -> str:
    """One life: it is dead when this comes back. What it wrote to standard error."""
    hook = HOOK.format(nth=moment.nth, call=moment.call) if moment.kind == "call" else ""
    async with started(folder, "--yes", hook=hook, stdout=asyncio.subprocess.DEVNULL) as process:
        asked = matching = 0

        def strike(endpoint: Endpoint, after: bool) -> None:
            nonlocal asked, matching
            asked += 1
            if moment.kind == "request" and after == moment.after_effect and moment.endpoint in (None, endpoint):
                matching += 1
                if matching == moment.nth:
                    process.kill()

        def finish() -> None:
            if process.returncode is None:
                process.kill()

        at_request(strike)
        if moment.kind != "start":
            await until(lambda: asked > 0 or process.returncode is not None)
        # Where nothing is left to post, to cancel or to write, it would live on: long enough, then.
        end_of_life = asyncio.get_running_loop().call_later(moment.seconds or 6.0, finish)
        end = await ended(process)
        end_of_life.cancel()
        assert end.code == KILLED, end.err
        return end.err


def a_world(*, forgetful: bool):
    """Five tokens: one stays, one grows, one shrinks, one is left, one is only ever dust.

    A `forgetful` exchange knows nothing of closed orders, and of a young one only after a while.
    """
    manners = Manners(
        hits=Hits(mean_sec=0.5, least=D(2), most=D(12)),
        mined_after=D("0.3"),
        confirmed_after=D(1),
        list_trades_after=D("0.4"),
        list_orders_after=D("0.3") if forgetful else D(0),
        forget_closed_after=D(0) if forgetful else None,
    )
    world = world_of(tokens=5, leader_holds="150", mine={2: "900", 3: "60"}, manners=manners, cash="1000000")
    world.exchange.hold(LEADER, yes_of(world, 2), D(4500))
    world.exchange.hold(LEADER, yes_of(world, 3), D(300))
    world.exchange.hold(LEADER, yes_of(world, 4), D(14))
    feed = world.feed(ME)
    feed.lag_sec, feed.flip_chance, feed.flip_sec = D(2), 0.2, D(8)
    return world


def the_leader_moves(world, number: int, kills: int) -> None:
    leader = world.exchange.wallets[LEADER].shares
    world.exchange.hold(LEADER, yes_of(world, 1), leader[yes_of(world, 1)] + 90)
    world.exchange.hold(LEADER, yes_of(world, 2), max(D(300), leader[yes_of(world, 2)] - 90))
    if number == kills // 2:
        world.exchange.hold(LEADER, yes_of(world, 3), D(0))


def trouble(world, dice: Random) -> None:
    """The next life's network loses requests before or after they took effect, and its exchange is out of breath."""
    for endpoint in dice.sample((Endpoint.POST_ORDERS, Endpoint.POST_ORDERS, Endpoint.CANCEL_ORDERS, *LOOKS), 3):
        kind, status = dice.choice(((Kind.DROP, 500), (Kind.STATUS, 502), (Kind.STATUS, 429), (Kind.GARBAGE, 200)))
        done = status != 429 and dice.random() < 0.5  # a refusal for haste is a refusal
        world.faults.add(endpoint, Fault(kind=kind, status=status, after_effect=done, skip=dice.randint(0, 2)))


def under_fire(
    folder, kills: int, seed: int, at_request, *, forgetful: bool = False, maker: bool = True, troubled: bool = False
) -> None:
    world, dice = a_world(forgetful=forgetful), Random(seed)
    settings = {**SETTINGS, "maker_only": maker}
    kinds: Counter[str] = Counter()
    known: Counter[str] = Counter()
    with watched(world) as truth:

        def there(story: Story) -> bool:
            """DESIGN 4: inside the band, or below the exchange's minimum size with the reason DUST."""
            dust = {one.token_id for one in story.cycles[-1].plan.decisions if one.reason is Reason.DUST}
            left = truth.outside()
            return left.keys() <= dust and all(abs(gap) < MINIMUM for gap in left.values())

        async def talk():
            async with serve(world) as urls:
                write_config(urls, folder, **settings)
                for number in range(1, kills + 1):
                    moment = Moment.chosen(dice)
                    if troubled:
                        trouble(world, dice)
                    err = await live_and_die(world, folder, moment, at_request)
                    assert "Traceback" not in err, err
                    assert_state_is_readable(folder)
                    assert truth.wrongs == [], f"after {moment}"
                    kinds[moment.kind] += 1
                    known.update(in_state(folder, "open_orders", "in_doubt"))
                    the_leader_moves(world, number, kills)
                at_request(lambda *_: None)
                world.faults.clear()
                world.exchange.manners.hits = Hits(mean_sec=0.1, least=D(5), most=D(25))  # the world calms down
                return await run_until(config_of(urls, folder, **settings), there)

        story = asyncio.run(talk())
    print(
        f"\nseed {seed}: {kills} kills ({', '.join(f'{n} at a {kind}' for kind, n in kinds.most_common())}); "
        f"at death {known['open_orders']} orders open and {known['in_doubt']} in doubt; {len(truth.accepted)} orders, "
        f"{len(world.exchange.trades)} trades; worst overshoot {truth.overshoot} shares; "
        f"in the band{' or DUST' if truth.outside() else ''} {len(story.cycles)} cycles after the last"
    )
    assert truth.wrongs == []
    assert there(story)
    assert ours(world) == []
    assert_state_is_readable(folder)


class TestKilledAtRandom:
    """Never twice, never lost: DESIGN 4, through any number of deaths."""

    def test_a_few_times(self, tmp_path, at_request):
        under_fire(tmp_path, 4, int(os.environ.get("FIRE_SEED", "8")), at_request)

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("seed", "how"),
        [
            (11, {}),
            (12, {}),
            (13, {}),
            (14, {"forgetful": True}),
            (15, {"maker": False}),
            (16, {"troubled": True}),
            (17, {"troubled": True, "forgetful": True}),
        ],
    )
    def test_many_times(self, seed, how, tmp_path, at_request):
        under_fire(tmp_path, int(os.environ.get("FIRE_KILLS", "20")), seed, at_request, **how)


class TestTheTruthSees:
    """The watch can fail: what must never happen is seen when it does."""

    def test_a_second_order_on_a_token_and_one_share_too_many(self):
        world = world_of(tokens=1)  # of which 20 are wanted
        with watched(world) as truth:
            order = NewOrder(
                order_id="0x01", wallet=ME.lower(), token_id=yes_of(world, 0), side=Side.BUY, price=D("0.4"),
                size=D("23.02"), expiration=int(world.now()) + 600,
            )  # fmt: skip
            world.exchange.post(order)
            world.exchange.hit("0x01", D("23.01"))
            assert truth.wrongs == []
            world.exchange.post(evolve(order, order_id="0x02"))
            assert "rest there already" in truth.wrongs.pop()
            world.exchange.hit("0x01", D("0.01"))
            assert "past what was ever wanted by 3.02" in truth.wrongs.pop()
            world.exchange.hold(ME, yes_of(world, 0), D("16.98"))
            assert "by 3.02" in truth.wrongs.pop()
        assert truth.outside() == {yes_of(world, 0): D("3.02")}
