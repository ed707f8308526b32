"""What a start refuses, with which exit code, and what it leaves as it was."""

import asyncio
import json
import os
from functools import partial

import pytest
from attrs import evolve

from copytrade.adapters.journal_file import JournalFolder
from copytrade.adapters.simulated.faults import Endpoint
from copytrade.adapters.simulated.scenario import LEADER, yes_of
from copytrade.adapters.simulated.server import serve
from copytrade.app.cli import main
from copytrade.app.outcomes import NotApproved
from copytrade.app.state import encode_state
from copytrade.domain.memory import Memory
from copytrade.domain.policy import Policy
from copytrade.errors import RefusedToStart
from copytrade.wiring import running
from tests.e2e.driving import KEY, ME, D, config_of, files, ours, run, run_until, signer, world_of, write_config

WRITES = {Endpoint.POST_ORDERS, Endpoint.POST_ORDER, Endpoint.CANCEL_ORDERS, Endpoint.CANCEL_ORDER}
POLICY = Policy(target_address=LEADER, my_address=ME.lower())
GOOD = encode_state(Memory(), POLICY)
OTHER = "0x" + "77" * 20


def told(world) -> set[Endpoint]:
    """What was asked of the exchange that changes anything there."""
    return {asked.endpoint for asked in world.asked} & WRITES


class TestTheStartPrompt:
    """DESIGN 9: a live start that would sell asks; without a terminal only --yes answers."""

    @pytest.mark.parametrize("how", [{}, {"preexec_fn": partial(os.close, 0)}], ids=["empty", "closed"])
    def test_without_a_terminal_and_without_yes_nothing_is_sent(self, how, tmp_path):
        world = world_of(tokens=1, mine={1: "40"})  # … which the leader does not hold

        async def talk():
            async with serve(world) as urls:
                write_config(urls, tmp_path)
                return await run(tmp_path, **how)

        end = asyncio.run(talk())
        assert end.code == 3, end.err
        assert "sell or reduce 1 of the positions" in end.out
        assert "--yes" in end.err
        assert "Traceback" not in end.err
        assert (told(world), world.exchange.orders) == (set(), {})

    def test_with_yes_it_goes_on_and_sells(self, tmp_path):
        world = world_of(tokens=1, mine={1: "40"})

        async def talk():
            async with serve(world) as urls:
                write_config(urls, tmp_path)
                sold = await run(tmp_path, "--once", "--yes")
                assert len(ours(world)) == 2
                return sold

        end = asyncio.run(talk())
        assert end.code == 0, end.err
        assert "sell or reduce 1 of the positions" in end.out
        sold = [order.side.value for order in world.exchange.orders.values() if order.token_id == yes_of(world, 1)]
        assert sold == ["SELL"]

    def test_a_no_sends_nothing_and_ends_the_run(self, tmp_path):
        world = world_of(tokens=1, mine={1: "40"})

        async def no(due, snapshot) -> bool:
            return False

        async def talk():
            async with serve(world) as urls:
                await run_until(config_of(urls, tmp_path), lambda _: True, approve=no)

        with pytest.raises(NotApproved):
            asyncio.run(talk())
        assert told(world) == set()


ADDRESSES = {"target_address": LEADER, "my_address": ME, "signature_type": 0}


class TestBadConfiguration:
    """Issue 3, It must show: one message with every fault, exit 2, nothing sent, no key shown."""

    @pytest.mark.parametrize(
        ("content", "wants"),
        [
            ({"slize_max": 25}, ["1 fault", "slize_max", "did you mean slice_max"]),
            ({"follow_ratio": "much"}, ["1 fault", "follow_ratio", '"much"']),
            ({"maker_only": "yes"}, ["1 fault", "maker_only"]),
            ({"follow_ratio": -1}, ["1 fault", "follow_ratio", "above 0"]),
            ({"slice_min": 9}, ["1 fault", "slice_min", "deadband_shares"]),
            ({"settle_timeout_sec": 60}, ["1 fault", "settle_timeout_sec", "order_ttl_sec"]),
            ({"my_address": LEADER}, ["1 fault", "target_address", "my_address"]),
            ({"slize_max": 25, "follow_ratio": 0}, ["2 faults", "slize_max", "follow_ratio"]),
            ({"private_key": KEY}, ["1 fault", "private_key", "COPYTRADE_PRIVATE_KEY"]),
            ({"state_path": KEY, "poll_interval_sec": 0}, ["2 faults", "state_path", "poll_interval_sec"]),
            ({"clob_url": "http://clob.example.org"}, ["1 fault", "clob_url", "https"]),
            ({"signature_type": 4}, ["1 fault", "signature_type"]),
            ('{"follow_ratio": 0.2,', ["1 fault", "JSON"]),
            ("[]", ["fault"]),
        ],
    )
    def test_every_fault_is_named_and_nothing_is_started(self, content, wants, tmp_path, monkeypatch, capsys):
        path = tmp_path / "copytrade_config.json"
        path.write_text(content if isinstance(content, str) else json.dumps({**ADDRESSES, **content}))
        before = files(tmp_path)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("COPYTRADE_PRIVATE_KEY", KEY)
        with pytest.raises(SystemExit) as end:
            main(["run"])
        said = capsys.readouterr()
        assert end.value.code == 2
        assert said.out == ""
        assert "nothing was started" in said.err
        assert [words for words in wants if words not in said.err] == [], said.err
        assert KEY[2:] not in said.err
        assert "Traceback" not in said.err
        assert files(tmp_path) == before

    def test_a_key_on_the_command_line_is_not_shown_either(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SystemExit) as end:
            main(["run", "--target", KEY, "--my-address", ME])
        said = capsys.readouterr()
        assert end.value.code == 2
        assert KEY[2:] not in said.out + said.err

    def test_the_process_ends_with_2_and_without_a_key_with_3(self, tmp_path):
        bad, keyless = tmp_path / "bad", tmp_path / "keyless"
        for folder, more in ((bad, {"slize_max": 1, "private_key": KEY}), (keyless, {})):
            folder.mkdir()
            (folder / "copytrade_config.json").write_text(json.dumps({**ADDRESSES, **more}))

        async def talk():
            return await asyncio.gather(run(bad), run(keyless, key=None))

        wrong, missing = asyncio.run(talk())
        assert (wrong.code, wrong.out) == (2, "")
        assert "2 faults, nothing was started" in wrong.err
        assert KEY[2:] not in wrong.err
        assert missing.code == 3
        assert "COPYTRADE_PRIVATE_KEY" in missing.err
        assert list(files(tmp_path)) == ["bad/copytrade_config.json", "keyless/copytrade_config.json"]


class TestASecondProcess:
    """DESIGN 6: an exclusive lock makes a second process on the same state refuse to start."""

    def test_refuses_and_asks_nothing(self, tmp_path):
        world = world_of(tokens=1)

        async def talk():
            async with serve(world) as urls:
                path = write_config(urls, tmp_path)
                async with running.opened(config_of(urls, path.parent), signer()):
                    return await run(tmp_path, "--yes")

        second = asyncio.run(talk())
        assert second.code == 3
        assert "in use" in second.err
        assert "Traceback" not in second.err
        assert not world.asked


class TestAStateFileThatIsNotOurs:
    """DESIGN 6: refused with what to do, and left as it is."""

    @pytest.mark.parametrize(
        ("raw", "words"),
        [
            (encode_state(Memory(), evolve(POLICY, target_address=OTHER)), "another target"),
            (encode_state(Memory(), evolve(POLICY, my_address=OTHER)), "another my_address"),
            (b'{"version": 2, "future": true}', "newer copytrade"),
        ],
    )
    @pytest.mark.parametrize("name", ["state.json", "state.json.bak"])
    def test_is_refused_and_stays(self, raw, words, name, tmp_path):
        world = world_of(tokens=1)
        (tmp_path / name).write_bytes(raw)

        async def talk():
            async with serve(world) as urls:
                await run_until(config_of(urls, tmp_path), lambda _: True)

        with pytest.raises(RefusedToStart, match=words):
            asyncio.run(talk())
        kept = {name: raw for name, raw in files(tmp_path).items() if not name.endswith(".lock")}
        assert kept == {name: raw}
        assert not world.asked


BROKEN = GOOD[:-20]


class TestABrokenState:
    """DESIGN 6: the backup is used if it is good, what is broken is kept, and nothing is placed before it is safe."""

    @pytest.mark.parametrize(
        "found",
        [
            {"state.json": BROKEN},
            {"state.json": b""},
            {"state.json": BROKEN, "state.json.bak": GOOD},
            {"state.json": BROKEN, "state.json.bak": BROKEN + b"}"},
            {"state.json.bak": GOOD},
            {"state.json.bak": BROKEN},
        ],
    )
    def test_is_kept_and_nothing_is_placed_until_the_balance_is_known(self, found, tmp_path):
        world = world_of(tokens=1)
        for name, raw in found.items():
            (tmp_path / name).write_bytes(raw)
        begun = world.now()

        async def talk():
            async with serve(world) as urls:
                config = config_of(urls, tmp_path, fill_grace_sec=D("0.4"))
                return await run_until(config, lambda _: bool(world.exchange.orders))

        story = asyncio.run(talk())
        [order] = world.exchange.orders.values()
        assert order.created_at >= begun + D("0.4")  # fill_grace_sec
        first = next(n for n, asked in enumerate(world.asked) if asked.endpoint is Endpoint.POST_ORDERS)
        before = [asked.endpoint for n, asked in enumerate(world.asked) if n < first]
        assert Endpoint.REFRESH in before  # a balance of a token is refreshed first; that of cash is not
        early = [cycle.plan for cycle in story.cycles if cycle.snapshot.now < begun + D("0.4")]
        assert {one.reason.value for plan in early for one in plan.decisions} <= {"ON_HOLD"}
        broken = [raw for name, raw in found.items() if raw != GOOD]
        left = list(files(tmp_path).values())
        assert all(raw in left for raw in broken), sorted(files(tmp_path))

    def test_is_not_forgotten_by_a_start_that_was_not_confirmed(self, tmp_path):
        world = world_of(tokens=1, mine={1: "40"})
        (tmp_path / "state.json").write_bytes(BROKEN)

        async def no(due, snapshot) -> bool:
            return False

        async def talk():
            async with serve(world) as urls:
                config = config_of(urls, tmp_path, fill_grace_sec=D(60))
                with pytest.raises(NotApproved):
                    await run_until(config, lambda _: True, approve=no)
                return await run_until(config, lambda _: True)

        [cycle] = asyncio.run(talk()).cycles
        assert {one.reason.value for one in cycle.plan.decisions} == {"ON_HOLD"}
        assert told(world) == set()
        assert BROKEN in files(tmp_path).values()

    def test_a_journal_without_a_state_is_no_first_start(self, tmp_path):
        world = world_of(tokens=1)
        JournalFolder(tmp_path / "journal").append(D(1_700_000_000), b'{"version":1}')

        async def talk():
            async with serve(world) as urls:
                return await run_until(config_of(urls, tmp_path), lambda _: True)

        [cycle] = asyncio.run(talk()).cycles
        assert {one.reason.value for one in cycle.plan.decisions} == {"ON_HOLD"}
        assert told(world) == set()

    def test_a_dry_run_leaves_it_where_it_is(self, tmp_path):
        world = world_of(tokens=1)
        (tmp_path / "state.json").write_bytes(BROKEN)

        async def talk():
            async with serve(world) as urls:
                config = config_of(urls, tmp_path, live=False)
                return await run_until(config, lambda _: True, once=True, dry=True)

        assert len(asyncio.run(talk()).cycles) == 1
        assert files(tmp_path) == {"state.json": BROKEN}
