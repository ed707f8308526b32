"""`copytrade doctor` over real HTTP: every fault and every warning injected once, and what `run` makes of it.

The law: what doctor calls a fault is what a live start is refused for, and nothing else is.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from attrs import field, frozen

from copytrade.adapters.http import Http
from copytrade.adapters.signing import Exchange
from copytrade.adapters.simulated.faults import Endpoint, Fault, Kind
from copytrade.adapters.simulated.feed import Feed
from copytrade.adapters.simulated.scenario import LEADER, add_market, market, small_world, yes_of
from copytrade.adapters.simulated.server import serve
from copytrade.adapters.simulated.world import World
from copytrade.adapters.state_file import StateLock
from copytrade.adapters.system_clock import SystemClock
from copytrade.app.checks import NAMES, Check, Standing, faults_in, refuse
from copytrade.app.cli import main
from copytrade.app.cli.doctor import lines_of
from copytrade.app.state import encode_state
from copytrade.domain.memory import Memory
from copytrade.domain.policy import Policy
from copytrade.errors import RefusedToStart
from copytrade.wiring import checking, keys, running, telling
from tests.e2e.driving import KEY, ME, D, config_of, ended, files, run, signer, started, world_of, write_config

OTHER = "0x" + "77" * 20
READS = {endpoint for endpoint in Endpoint if endpoint.startswith("GET")} | {Endpoint.CREATE_KEY}


@frozen(kw_only=True)
class Case:
    """One thing that is wrong, and the line that says so."""

    name: str
    words: str
    world: Callable[[World], object] = lambda _: None
    made: Callable[[], World] = lambda: known_world()
    folder: Callable[[Path], object] = lambda _: None
    settings: dict[str, object] = field(factory=dict)
    locked: bool = False
    also: frozenset[str] = frozenset()  # other lines that the same thing makes faults


def known_world(**settings: object) -> World:
    """Our usual world, and an account that was used before."""
    world = world_of(**{"tokens": 2, "mine": {0: "20"}, **settings})
    world.made_keys.add(ME.lower())
    return world


def later_by(seconds: int) -> Callable[[], World]:
    def made() -> World:
        world = small_world(lambda: SystemClock().now() + seconds, me=ME, signer=ME, tokens=2, mine={0: "20"})
        world.made_keys.add(ME.lower())
        return world

    return made


def wallet(world):
    return world.exchange.wallets[ME.lower()]


def unapprove(*contracts):
    return lambda world: wallet(world).unapproved.update(one.address().lower() for one in contracts)


def away(*endpoints, status=503, words=""):
    def strike(world):
        for endpoint in endpoints:
            world.faults.add(endpoint, Fault(kind=Kind.STATUS, status=status, words=words, times=None))

    return strike


def block(world):
    world.blocked, world.country = True, "US"


def sell_all(world):
    for number in range(2):
        world.exchange.hold(LEADER, yes_of(world, number), D(0))


def buy_unseen(world):
    """The feed is a minute late."""
    world.feeds[ME.lower()] = Feed(lag_sec=D(60))
    world.exchange.hold(ME, yes_of(world, 0), D(35))


def foreign_state(folder):
    policy = Policy(target_address=OTHER, my_address=ME.lower())
    (folder / "state.json").write_bytes(encode_state(Memory(), policy))


def with_a_new_market(world):
    """The leader holds one market of protocol V2, whose contract has no approval."""
    made = add_market(world.exchange, market("a-new-one", version="v2"))
    world.exchange.hold(LEADER, made.outcomes[0].token_id, D(40), D("0.5"))
    unapprove(Exchange.V3)(world)


FAULTS = [
    Case(name="state", words="belongs to another target", folder=foreign_state),
    Case(name="lock", words="holds state.json.lock", locked=True),
    Case(name="disk", words="not a folder", also=frozenset({"state"}),
         settings={"state_path": Path("/dev/null/state.json")}),
    Case(name="alerts", words="the alert URLs can't be read", settings={"alert_urls_path": Path("gone")}),
    Case(name="key", words="the key's own address", settings={"my_address": OTHER}),
    Case(name="region", words="takes no orders from where you are (US)",
         world=block),
    Case(name="clock", words="behind the exchange's", made=later_by(60)),
    Case(name="credentials", words="Invalid L1", world=away(Endpoint.DERIVE_KEY, status=401, words="Invalid L1")),
    Case(name="account", words="closed-only", world=lambda world: setattr(wallet(world), "closed_only", True)),
    Case(name="account", words="banned", world=lambda world: setattr(wallet(world), "banned", True)),
    Case(name="cash", words="nothing to trade with", made=lambda: known_world(cash="0", mine={})),
    Case(name="cash", words="signature_type", world=away(Endpoint.BALANCE, status=400, words="Invalid signature_type")),
    Case(name="allowances", words="every BUY is refused", world=unapprove(*Exchange)),
    Case(name="leader", words="has never traded", settings={"target_address": OTHER}),
]  # fmt: skip
WARNINGS = [
    Case(name="state", words="is broken", folder=lambda folder: (folder / "state.json").write_text("{")),
    Case(name="state", words="everything is stopped", folder=lambda folder: (folder / "state.json.stop").touch()),
    Case(name="disk", words="no journal", settings={"journal_dir": Path("/dev/null/journal")}),
    Case(name="holding", words="refused", folder=lambda _: None, world=lambda world: world.faults.add(
        Endpoint.BALANCE, Fault(kind=Kind.STATUS, status=401, words="Invalid token", skip=1, times=2))),
    Case(name="region", words="503", world=away(Endpoint.GEOBLOCK)),
    Case(name="exchange", words="503", world=away(Endpoint.VERSION)),
    Case(name="exchange", words="order version 3", world=lambda world: setattr(world, "clob_version", 3)),
    Case(name="clock", words="behind the exchange's", made=later_by(10)),
    Case(name="clock", words="503", world=away(Endpoint.TIME)),
    Case(name="credentials", words="503", world=away(Endpoint.DERIVE_KEY)),
    Case(name="account", words="503", world=away(Endpoint.CLOSED_ONLY)),
    Case(name="cash", words="2 pUSD", made=lambda: known_world(cash="2")),
    Case(name="allowances", words="1 of the leader's 3 positions are new markets", world=with_a_new_market),
    Case(name="leader", words="may lack some",
         world=lambda world: world.faults.add(Endpoint.POSITIONS_V2, Fault(kind=Kind.DUPLICATES, times=None))),
    Case(name="leader", words="holds nothing now",
         world=sell_all),
    Case(name="feed", words="version 1 is used", world=lambda world: setattr(world, "serves_v2", False)),
    Case(name="feed", words="200 s behind", world=lambda world: setattr(world.feed(OTHER), "lag_sec", D(200))),
    Case(name="size", words="cached", settings={"poll_interval_sec": D(2)}),
    Case(name="size", words="0 positions to follow", settings={"follow_ratio": D("0.001")}),
    Case(name="holding", words="the exchange 35",
         world=buy_unseen),
    Case(name="holding", words="a SELL would be refused", world=unapprove(Exchange.CTF_V2, Exchange.NEG_RISK_V2)),
]  # fmt: skip


def told(case: Case) -> str:
    return f"{case.name}: {case.words}"


async def examined(case: Case, folder: Path) -> tuple[World, tuple[Check, ...], str]:
    """What doctor says in this case; and why a live start is refused, "" where it is not."""
    world = case.made()
    case.world(world)
    case.folder(folder)
    async with serve(world) as urls:
        config = config_of(urls, folder, live=True, **{"poll_interval_sec": D(20), **case.settings})
        with ExitStack() as stack, pytest.MonkeyPatch.context() as env:
            env.setenv("COPYTRADE_PRIVATE_KEY", KEY)
            mine, key = keys.key_facts(config, None)
            before = files(folder)
            if case.locked:
                stack.enter_context(StateLock(config.state_path))
            checks = await checking.examined(config, mine, key, make_credentials=False)
            if not case.locked:
                assert files(folder) == before
            return world, checks, await refused(config, mine)


async def refused(config, mine) -> str:
    if mine is None:
        return "there is no signer"
    try:
        with telling.listeners(config):
            pass
        async with running.opened(config, mine) as ready:
            refuse(await ready.preflight())
    except (RefusedToStart, OSError) as error:
        return str(error)
    return ""


def line(checks: tuple[Check, ...], name: str) -> Check:
    assert [check.name for check in checks] == list(NAMES)
    return next(check for check in checks if check.name == name)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """A service that is away is asked once; nothing here is a matter of seconds."""
    monkeypatch.setitem(Http.__init__.__kwdefaults__, "attempts", 1)


class TestEveryFault:
    """Rule 1 of checks.py, in both directions."""

    @pytest.mark.parametrize("case", FAULTS, ids=told)
    def test_is_found_says_what_to_do_and_refuses_a_live_start(self, case, tmp_path):
        world, checks, why = asyncio.run(examined(case, tmp_path))
        found = line(checks, case.name)
        assert (found.standing, bool(found.what_to_do)) == (Standing.FAULT, True), checks
        assert case.words in f"{found.what} {found.what_to_do}"
        assert {check.name for check in faults_in(checks)} == {case.name} | case.also
        assert why
        assert {asked.endpoint for asked in world.asked} <= READS

    @pytest.mark.parametrize("case", WARNINGS, ids=told)
    def test_a_warning_says_what_to_do_and_lets_a_live_start_go_on(self, case, tmp_path):
        world, checks, why = asyncio.run(examined(case, tmp_path))
        found = line(checks, case.name)
        assert (found.standing, bool(found.what_to_do)) == (Standing.WARNING, True), checks
        assert case.words in f"{found.what} {found.what_to_do}"
        assert (faults_in(checks), why) == ((), "")
        assert {asked.endpoint for asked in world.asked} <= READS

    def test_a_good_start_has_none(self, tmp_path):
        _, checks, why = asyncio.run(examined(Case(name="", words=""), tmp_path))
        assert ({check.standing for check in checks}, why) == ({Standing.OK}, "")


class TestCauses:
    """Rule 3: what depends on a cause that failed is not checked, and says what it waits for."""

    @pytest.mark.parametrize(
        ("case", "waiting"),
        [
            (Case(name="key", words="", settings={"my_address": OTHER}), ["credentials", "account", "cash", "tier"]),
            (Case(name="credentials", words="", world=away(Endpoint.DERIVE_KEY, status=401)), ["account", "cash"]),
            (Case(name="credentials", words="", world=lambda world: world.made_keys.clear()), ["account", "holding"]),
            (Case(name="leader", words="", world=away(Endpoint.POSITIONS_V2, Endpoint.POSITIONS_V1)), ["size"]),
        ],
    )  # fmt: skip
    def test_is_named_by_what_waits_for_it(self, case, waiting, tmp_path):
        _, checks, _ = asyncio.run(examined(case, tmp_path))
        for name in waiting:
            check = line(checks, name)
            assert check.standing is Standing.NOT_CHECKED
            assert check.what.startswith("waits for: ")

    def test_credentials_are_made_only_when_that_is_asked_for(self, tmp_path):
        world = known_world()
        world.made_keys.clear()

        async def talk(make):
            async with serve(world) as urls:
                config = config_of(urls, tmp_path)
                return await checking.examined(config, signer(), ME, make_credentials=make)

        assert line(asyncio.run(talk(False)), "credentials").standing is Standing.WARNING
        assert world.made_keys == set()
        assert line(asyncio.run(talk(True)), "credentials").standing is Standing.OK
        assert world.made_keys == {ME.lower()}


class TestADryRun:
    def test_needs_no_key_and_what_only_a_live_start_needs_is_no_fault(self, tmp_path):
        world = known_world()
        world.blocked = True

        async def talk():
            async with serve(world) as urls:
                config = config_of(urls, tmp_path, live=False, signature_type=None)
                with StateLock(config.state_path):
                    return await checking.examined(config, None, None, make_credentials=False)

        checks = asyncio.run(talk())
        assert faults_in(checks) == ()
        assert (line(checks, "region").standing, line(checks, "lock").standing) == (Standing.WARNING, Standing.WARNING)
        assert line(checks, "key").what == "a dry run needs none"

    def test_the_region_of_another_exchange_is_not_asked_of_polymarket(self, tmp_path):
        world = known_world()

        async def talk():
            async with serve(world) as urls:
                config = config_of(urls, tmp_path, geoblock_url=None)
                return await checking.examined(config, signer(), ME, make_credentials=False)

        assert "is not Polymarket's own exchange" in line(asyncio.run(talk()), "region").what


class TestTheCommand:
    def of(self, world, folder, monkeypatch, *args, settings=None, key=KEY):
        """Run it beside the exchange: in a thread, with an event loop of its own."""
        monkeypatch.chdir(folder)
        if key is not None:
            monkeypatch.setenv("COPYTRADE_PRIVATE_KEY", key)

        def command():
            with pytest.raises(SystemExit) as end:
                main(["doctor", *args])
            return end.value.code

        async def talk():
            async with serve(world) as urls:
                write_config(urls, folder, **{"poll_interval_sec": 20, **(settings or {})})
                return await asyncio.to_thread(command)

        return asyncio.run(talk())

    def test_its_json_has_the_shape_that_is_documented(self, tmp_path, monkeypatch, capsys):
        assert self.of(known_world(), tmp_path, monkeypatch, "--json") == 0
        answer = json.loads(capsys.readouterr().out)
        assert list(answer) == ["copytrade", "dry_run", "would_start", "checks"]
        assert (answer["dry_run"], answer["would_start"]) == (False, True)
        assert [row["name"] for row in answer["checks"]] == list(NAMES)
        assert {key for row in answer["checks"] for key in row} == {"name", "standing", "what", "what_to_do"}

    def test_a_fault_ends_it_with_3_and_stands_in_80_columns(self, tmp_path, monkeypatch, capsys):
        world = known_world()
        world.blocked = True
        assert self.of(world, tmp_path, monkeypatch) == 3
        said = capsys.readouterr().out
        assert "FAULT    region" in said
        assert "A live start would be refused: region." in said
        assert max(map(len, said.splitlines())) <= 80

    def test_without_a_key_a_live_start_would_be_refused_and_the_rest_is_checked(self, tmp_path, monkeypatch, capsys):
        assert self.of(known_world(), tmp_path, monkeypatch, key=None) == 3
        said = capsys.readouterr().out
        assert "FAULT    key" in said
        assert "  COPYTRADE_PRIVATE_KEY" in said
        assert "u000a" not in said, "the three ways to give a key are lines of their own"
        assert max(map(len, said.splitlines())) <= 80
        assert "ok       leader" in said

    def test_without_a_key_a_dry_run_is_good(self, tmp_path, monkeypatch, capsys):
        assert self.of(known_world(), tmp_path, monkeypatch, "--dry-run", key=None) == 0
        assert "Nothing stands against a dry run." in capsys.readouterr().out

    def test_a_wrong_configuration_is_a_fault_and_the_rest_waits(self, tmp_path, monkeypatch, capsys):
        assert self.of(known_world(), tmp_path, monkeypatch, settings={"slize_max": 3}) == 3
        said = " ".join(capsys.readouterr().out.split())
        assert "did you mean slice_max?" in said
        assert "copytrade init" in said
        assert "17 not checked" in said


class TestWrongInput:
    @pytest.mark.parametrize(
        ("args", "code", "words"),
        [
            (["--config", "gone.json"], 2, ["gone.json", "--config", "a file that can be read"]),
            (["--ratio", "much"], 2, ["--ratio", '"much"']),
            (["--no-such-flag"], 2, ["--no-such-flag"]),
            (["--my-address", KEY], 2, ["(not shown)"]),
            ([], 3, []),
            (["--config", "secret.json"], 3, []),
        ],
    )
    def test_is_told_in_one_message(self, args, code, words, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "secret.json").write_text(json.dumps({"private_key": KEY}))
        with pytest.raises(SystemExit) as end:
            main(["doctor", *args])
        said = capsys.readouterr()
        assert end.value.code == code
        assert [each for each in words if each not in said.err] == [], said.err
        assert ("FAULT    configuration" in said.out) == (code == 3)
        assert KEY[2:] not in said.out + said.err


class TestWhatItCostsARun:
    def test_ten_requests_once_and_none_in_any_cycle(self, tmp_path):
        async def requests_of(folder: Path, *, looks: bool) -> tuple[Counter[Endpoint], list[Counter[Endpoint]]]:
            world = known_world(tokens=2, mine={0: "20", 1: "20"})  # nothing is to be done
            async with serve(world) as urls, running.opened(config_of(urls, folder), signer()) as ready:
                checks = await ready.preflight() if looks else ()
                assert faults_in(checks) == ()
                before, cycles = Counter(world.count), []
                for _ in range(3):
                    world.forget_requests()
                    await ready.trader.cycle()
                    asked_in_it = Counter(world.count)
                    del asked_in_it[Endpoint.TIME]  # the clock, once; and connections that are opened meanwhile
                    cycles.append(asked_in_it)
            return before, cycles

        async def talk():
            return await requests_of(tmp_path / "a", looks=True), await requests_of(tmp_path / "b", looks=False)

        (asked, after_it), (_, without_it) = asyncio.run(talk())
        once = [Endpoint.GEOBLOCK, Endpoint.VERSION, Endpoint.DERIVE_KEY, Endpoint.CLOSED_ONLY,
                Endpoint.REFRESH, Endpoint.BALANCE]  # fmt: skip
        warming = asked.pop(Endpoint.TIME) - 1  # connections that a burst of orders will need, opened meanwhile
        assert warming >= 0
        assert asked == Counter({**dict.fromkeys(once, 1), Endpoint.POSITIONS_V2: 2})
        # The credentials are known already, so the first cycle has one question less; all others are the same.
        assert without_it[0] - after_it[0] == Counter({Endpoint.DERIVE_KEY: 1})
        assert after_it[1:] == without_it[1:]
        assert after_it[0] - without_it[0] == Counter()


class TestTheRun:
    """`copytrade run` as a process: it looks before it trades."""

    def test_a_fault_refuses_with_3_and_nothing_is_sent(self, tmp_path):
        world = known_world()
        world.blocked = True

        async def talk():
            async with serve(world) as urls:
                write_config(urls, tmp_path)
                return await run(tmp_path, "--once")

        end = asyncio.run(talk())
        assert end.code == 3
        assert "this start is refused, nothing was sent:\n  region: the exchange takes no orders" in end.err
        assert "Traceback" not in end.err
        assert {asked.endpoint for asked in world.asked} <= READS

    def test_a_warning_is_printed_and_it_goes_on(self, tmp_path):
        world = known_world(mine={})
        unapprove(Exchange.V3)(world)

        async def talk():
            async with serve(world) as urls:
                write_config(urls, tmp_path)
                return await run(tmp_path, "--once")

        end = asyncio.run(talk())
        assert end.code == 0, end.err
        assert "allowances: not allowed to take your pUSD: new markets (Exchange V3)" in end.out + end.err
        assert world.count[Endpoint.POST_ORDERS] == 1

    def test_a_stop_while_it_looks_is_a_stop(self, tmp_path):
        world = known_world(mine={})
        world.faults.add(Endpoint.GEOBLOCK, Fault(kind=Kind.NONE, delay_sec=20))

        async def talk():
            async with serve(world) as urls:
                write_config(urls, tmp_path)
                async with started(tmp_path) as process:
                    while not world.count[Endpoint.TIME]:  # noqa: ASYNC110  # the world tells nobody when it changes
                        await asyncio.sleep(0.01)
                    process.terminate()
                    return await ended(process, within=10)

        end = asyncio.run(talk())
        assert (end.code, world.count[Endpoint.POST_ORDERS]) == (0, 0), end.err


def test_numbers_of_the_screen_are_those_of_the_json():
    check = Check(name="cash", standing=Standing.WARNING, what="3 pUSD", what_to_do="deposit")
    assert list(lines_of([check], dry=False)) == [
        "warning  cash            3 pUSD",
        "                         -> deposit",
        "",
        "Nothing stands against a live start.",
        "1 warning.",
    ]
