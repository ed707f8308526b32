"""Sweeps, costs and the report: the same results wherever they are run, and a page that needs nothing from outside."""

from __future__ import annotations

import re
import shutil
import subprocess
from decimal import Decimal

import pytest

from copytrade.adapters.tapes import write_tape
from copytrade.app import cli
from copytrade.app.backtest.assumptions import Assumptions
from copytrade.app.backtest.engine import backtest
from copytrade.app.backtest.report import report, sweep_report
from copytrade.app.backtest.settings import read_settings
from copytrade.app.backtest.studies import both_ends, costs, grid, run_job, sweep_here, sweep_on_dask
from copytrade.domain.policy import Policy
from copytrade.errors import BadInput
from tests.backtest.histories import history

D = Decimal
AXES = {"follow_ratio": ["0.2", "1"], "order_ttl_sec": ["30", "90"]}


@pytest.fixture(scope="module")
def tape():
    return history(11, polls=60)


class TestSweeps:
    def test_every_core_gives_what_one_run_after_the_other_gives(self, tape):
        jobs = grid(AXES, {})
        done: list[int] = []
        cells = sweep_here(tape, jobs, workers=2, done=done.append)
        assert done == list(range(1, 9))
        alone = [run_job(tape, job) for job in jobs]
        assert [(cell.optimistic, cell.pessimistic) for cell in cells] == list(
            zip(alone[::2], alone[1::2], strict=True)
        )
        assert [dict(cell.settings) for cell in cells][1] == {"follow_ratio": "0.2", "order_ttl_sec": "90"}
        assert len({cell.optimistic.pnl for cell in cells}) > 1

    @pytest.mark.filterwarnings("ignore")  # distributed warns of ports and of its own futures
    def test_a_dask_cluster_gives_the_same(self, tape):
        distributed = pytest.importorskip("distributed")
        jobs = grid(AXES, {})
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
        ) as cluster:
            there = sweep_on_dask(tape, jobs, cluster.scheduler_address)
        assert there == sweep_here(tape, jobs, workers=1)

    @pytest.mark.filterwarnings("ignore")  # likewise
    def test_no_cluster_there(self, tape):
        pytest.importorskip("distributed")
        with pytest.raises(BadInput, match="a scheduler that is up"):
            sweep_on_dask(tape, grid(AXES, {}), "nowhere://1")

    def test_a_wrong_value_is_told_before_anything_runs(self):
        with pytest.raises(BadInput) as raised:
            grid({"follow_ratio": ["0.1", "-1"]}, {})
        assert "follow_ratio" in str(raised.value)


class TestSettings:
    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"folow_ratio": "1"}, "did you mean follow_ratio?"),
            ({"follow_ratio": "much"}, "follow_ratio"),
            ({"latency_sec": "30"}, "latency_sec"),
            ({"slice_min": "9"}, "slice_min"),
            ({"refusal_rate": "2"}, "refusal_rate"),
        ],
    )
    def test_what_is_wrong_is_named(self, given, words):
        with pytest.raises(BadInput) as raised:
            read_settings(given)
        assert words in str(raised.value)

    def test_a_configuration_file_is_the_base_and_settings_win(self):
        config = b'{"follow_ratio": 0.5, "deadband_shares": 4, "poll_interval_sec": 60}'
        policy, assumptions = read_settings({"follow_ratio": "0.1", "maker_only": "false"}, config=config)
        assert (policy.follow_ratio, policy.deadband_shares, policy.maker_only) == (D("0.1"), D(4), False)
        assert assumptions.poll_interval_sec == 60


class TestCosts:
    def test_each_is_the_difference_to_the_same_run_without_it(self, tape):
        base = backtest(tape, Policy(max_notional_total=D(20)), fills="optimistic", keep=False)
        found = costs(tape, base)
        assert [one.name for one in found] == ["lag", "maker_only", "caps"]
        assert all(one.cost == one.pnl_without - base.summary.pnl for one in found)
        swift = Assumptions(feed_lag_sec=D(0), latency_sec=D(0))
        again = backtest(tape, base.policy, fills="optimistic", assumptions=swift, keep=False)
        assert found[0].pnl_without == again.summary.pnl

    def test_limits_have_a_price_where_any_are_set(self, tape):
        base = backtest(tape, Policy(follow_ratio=D(1), max_daily_spend=D(10)), fills="optimistic", keep=False)
        found = {one.name: one for one in costs(tape, base)}
        free = backtest(tape, Policy(follow_ratio=D(1)), fills="optimistic", keep=False)
        assert found["limits"].pnl_without == free.summary.pnl


@pytest.fixture(scope="module")
def page(tape):
    pytest.importorskip("plotly")
    optimistic, pessimistic = both_ends(tape, Policy(follow_ratio=D(1)), Assumptions())
    priced = [costs(tape, one) for one in (optimistic, pessimistic)]
    return report(tape, optimistic, pessimistic, costs=priced, command="copytrade backtest 'a tape'")


PARTS = [
    "Equity", "Drawdown", "Distance from the leader", "Position against want", "Orders on price", "What it cost",
    "Assumed", "Made by", "queue", "maker_only",
]  # fmt: skip


class TestTheReport:
    @pytest.mark.parametrize("part", PARTS)
    def test_it_has(self, page, part):
        assert part in page

    def test_it_asks_nothing_of_the_network(self, page):
        asked = re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)\s*=\s*[\"']?([^\"'> ]+)", page)
        assert not [one for one in asked if not one.startswith("data:")]

    def test_a_sweep_has_a_heat_map(self, tape):
        pytest.importorskip("plotly")
        text = sweep_report(tape, sweep_here(tape, grid(AXES, {}), workers=1), command="copytrade backtest")
        assert "heatmap" in text
        assert "Mean profit" in text

    def test_a_real_browser_draws_it(self, page, tmp_path):
        browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        if browser is None:
            pytest.skip("NO CHROMIUM HERE: nobody has looked at the report in a real browser")
        path = tmp_path / "report.html"
        path.write_text(page)
        asked = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
        # Every host but nowhere is unknown to it: what opens here opens without network.
        asked += ["--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=20000", "--dump-dom"]
        shown = subprocess.run([*asked, path.as_uri()], capture_output=True, text=True, timeout=120, check=True)
        drawn = shown.stdout.count('class="main-svg"')
        assert drawn >= 2 * page.count("plotly-graph-div") > 0
        assert 'class="scatterlayer' in shown.stdout
        legends = [_legend(figure) for figure in shown.stdout.split("plotly-graph-div")[1:]]
        assert any(legends)
        assert all(bottom <= top for bottom, top in filter(None, legends)), "a legend hides what is drawn"


def _legend(figure):
    """Where the figure's legend ends, and where what is drawn begins, in pixels; None where it has no legend."""
    box = re.search(
        r'<g class="legend"[^>]*translate\([\d.]+,([\d.]+)\)"[^>]*>\s*<rect class="bg"[^>]* height="(\d+)"', figure
    )
    drawn = re.search(r'<rect class="nsewdrag[^>]* y="([\d.]+)"', figure)
    return (float(box[1]) + float(box[2]), float(drawn[1])) if box and drawn else None


def run(capsys, *args):
    with pytest.raises(SystemExit) as ended:
        cli.main(["backtest", *map(str, args)])
    said = capsys.readouterr()
    return ended.value.code, said.out, said.err


class TestTheCommand:
    @pytest.fixture
    def path(self, tape, tmp_path):
        write_tape(tape, tmp_path / "tape.jsonl.gz")
        return tmp_path / "tape.jsonl.gz"

    def test_both_ends_side_by_side_and_what_was_assumed(self, capsys, path):
        code, out, _ = run(capsys, path, "--costs", "--set", "follow_ratio=1")
        assert code in (0, None)
        for words in ("optimistic   pessimistic", "profit", "naive taker's", "tracking error", "feed_lag_sec=5", "lag"):
            assert words in out

    def test_json_is_one_object_with_exact_numbers(self, capsys, path, tape):
        import msgspec

        _, out, _ = run(capsys, path, "--json")
        found = msgspec.json.decode(out.encode(), type=dict)
        assert found["optimistic"]["fill_model"] == "optimistic"
        assert D(str(found["pessimistic"]["summary"]["cash"])) == backtest(tape).summary.cash

    def test_a_sweep_is_a_table_and_a_heat_map(self, capsys, path):
        _, out, _ = run(capsys, path, "--sweep", "follow_ratio=0.2,1", "--sweep", "order_ttl_sec=30,90", "--workers", 1)
        assert out.count("\n  0.2 ") == 3  # two cells and a row of the map
        assert "mean profit by follow_ratio (down) and order_ttl_sec (across)" in out

    def test_a_report_is_written(self, capsys, path, tmp_path):
        pytest.importorskip("plotly")
        _, out, _ = run(capsys, path, "--report", tmp_path / "out.html")
        assert "report: " in out
        assert (tmp_path / "out.html").read_text().startswith("<!doctype html>")

    @pytest.mark.parametrize(
        ("args", "words"),
        [
            (("--set", "folow_ratio=1"), "did you mean follow_ratio?"),
            (("--set", "follow_ratio"), "KEY=VALUE"),
            (("--fills", "lucky"), "recorded"),
            (("--fills", "recorded"), "a journal of ours"),
            (("--max-gap", "1"), "no gap above 1"),
            (("--config", "nowhere.json"), "--config"),
        ],
    )
    def test_wrong_usage_ends_with_2(self, capsys, path, args, words):
        code, _, err = run(capsys, path, *args)
        assert code == 2
        assert words in err

    def test_a_bad_tape_ends_with_2_and_one_error(self, capsys, tmp_path):
        (tmp_path / "bad.jsonl").write_bytes(b'{"copytrade_tape": 1}\n{"type": "beat", "at": -5}\n')
        code, _, err = run(capsys, tmp_path / "bad.jsonl")
        assert code == 2
        assert "line 2" in err
        assert "1 fault" in err
