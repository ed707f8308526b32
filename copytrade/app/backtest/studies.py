"""More than one run: both ends of the fill models side by side, what each handicap cost, and grids of settings.

A `Job` is one run as a value, so that it can travel to another process or machine; `run_job` is all that happens there.
Runs do not know of each other, so where they are run changes no result.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from decimal import Decimal
from typing import Any

from attrs import evolve, frozen

from copytrade.app.backtest.assumptions import Assumptions, FillModel
from copytrade.app.backtest.engine import Progress, backtest
from copytrade.app.backtest.result import Result, Summary
from copytrade.app.backtest.settings import read_settings
from copytrade.app.backtest.tape import NOTHING_RUN, Tape
from copytrade.domain.model import ZERO
from copytrade.domain.policy import Policy
from copytrade.errors import BadInput, Fault

NO_LIMIT = Decimal(10**12)  # pUSD
ENDS = (FillModel.OPTIMISTIC, FillModel.PESSIMISTIC)

Done = Callable[[int], None]  # called with how many runs are finished


@frozen(kw_only=True)
class Job:
    """One run of a study: its settings by name (for a grid), and everything that `backtest` takes but the tape."""

    settings: Mapping[str, str]
    policy: Policy
    assumptions: Assumptions
    fill_model: FillModel
    seed: int


@frozen(kw_only=True)
class Cell:
    """One point of a grid: both ends of what may have happened."""

    settings: Mapping[str, str]
    optimistic: Summary
    pessimistic: Summary


@frozen(kw_only=True)
class Cost:
    """What one handicap cost: the profit without it, less the profit with it, in pUSD."""

    name: str
    explained: str
    pnl_without: Decimal
    cost: Decimal


def both_ends(
    tape: Tape,
    policy: Policy,
    assumptions: Assumptions,
    *,
    seed: int = 0,
    progress: Callable[[FillModel], Progress] | None = None,
) -> tuple[Result, Result]:
    """The same run at both ends of the fill models, optimistic first, without records. Raises BadInput."""
    optimistic, pessimistic = (
        backtest(
            tape,
            policy,
            fills=model,
            assumptions=assumptions,
            seed=seed,
            keep=False,
            progress=None if progress is None else progress(model),
        )
        for model in ENDS
    )
    return optimistic, pessimistic


def handicaps(policy: Policy, given: Assumptions) -> Iterator[tuple[str, str, Policy, Assumptions]]:
    """Each handicap by name, and the run's settings with it switched off."""
    yield "lag", "the feed and our orders without delay", policy, evolve(given, feed_lag_sec=ZERO, latency_sec=ZERO)
    if policy.maker_only:
        yield "maker_only", "taking the other side's price, with fees", evolve(policy, maker_only=False), given
    free = evolve(policy, max_notional_per_token=NO_LIMIT, max_notional_total=NO_LIMIT)
    yield "caps", "no notional caps, and all the cash that it takes", free, evolve(given, start_cash=NO_LIMIT)
    unlimited = evolve(
        policy,
        max_daily_spend=None,
        max_daily_loss=None,
        min_open_price=None,
        max_open_price=None,
        min_hours_to_end=None,
        allow_markets=(),
        deny_markets=(),
    )
    if unlimited != policy:
        yield "limits", "none of the day's limits, and every market at every price", unlimited, given


def costs(tape: Tape, base: Result) -> tuple[Cost, ...]:
    """What lag, maker-only, caps and limits each cost `base`: the same run with one of them off. Raises BadInput."""
    found = []
    for name, explained, policy, assumptions in handicaps(base.policy, base.assumptions):
        other = backtest(tape, policy, fills=base.fill_model, assumptions=assumptions, seed=base.seed, keep=False)
        pnl = other.summary.pnl
        found.append(Cost(name=name, explained=explained, pnl_without=pnl, cost=pnl - base.summary.pnl))
    return tuple(found)


# -- grids ------------------------------------------------------------------------------------------------------------


def grid(
    axes: Mapping[str, Sequence[str]], given: Mapping[str, str], *, config: bytes | None = None, seed: int = 0
) -> tuple[Job, ...]:
    """Both ends of every combination of the axes' values, over the settings `given`. Raises BadInput, before any run.

    >>> [dict(job.settings) for job in grid({"follow_ratio": ["0.1", "0.2"]}, {})][::2]
    [{'follow_ratio': '0.1'}, {'follow_ratio': '0.2'}]
    """
    if not all(axes.values()):
        empty = [Fault(path=name, got="no value", wants="at least one") for name, values in axes.items() if not values]
        raise BadInput("--sweep", empty, NOTHING_RUN)
    jobs = []
    for values in itertools.product(*axes.values()):
        settings = dict(zip(axes, values, strict=True))
        source = "--sweep " + " ".join(f"{name}={value}" for name, value in settings.items())
        policy, assumptions = read_settings({**given, **settings}, config=config, source=source)
        jobs += [
            Job(settings=settings, policy=policy, assumptions=assumptions, fill_model=model, seed=seed)
            for model in ENDS
        ]
    return tuple(jobs)


def run_job(tape: Tape, job: Job) -> Summary:
    """One run of a study."""
    found = backtest(tape, job.policy, fills=job.fill_model, assumptions=job.assumptions, seed=job.seed, keep=False)
    return found.summary


def sweep_here(tape: Tape, jobs: Sequence[Job], *, done: Done | None = None, workers: int | None = None) -> list[Cell]:
    """Run the grid on all cores (or on so many `workers`). Raises what a run raises."""
    many = min(workers or os.cpu_count() or 1, len(jobs))
    if many <= 1:
        found = []
        for number, job in enumerate(jobs, 1):
            found.append(run_job(tape, job))
            if done is not None:
                done(number)
        return _cells(jobs, found)
    # Spawned, not forked: a progress bar has threads, and a fork would copy their locks as they happen to stand.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(many, mp_context=context, initializer=_start, initargs=(tape,)) as pool:
        futures = [pool.submit(_run_here, job) for job in jobs]
        try:
            for number, _ in enumerate(as_completed(futures), 1):
                if done is not None:
                    done(number)
            return _cells(jobs, [future.result() for future in futures])
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


_tape_here: list[Tape] = []  # a worker process reads one tape, which came with its start


def _start(tape: Tape) -> None:
    _tape_here[:] = [tape]


def _run_here(job: Job) -> Summary:
    return run_job(_tape_here[0], job)


def sweep_on_dask(tape: Tape, jobs: Sequence[Job], address: str, *, done: Done | None = None) -> list[Cell]:
    """Run the grid on the Dask cluster whose scheduler is at `address` (the extra `dask`).

    Its workers need copytrade, and for a tape in files the same files. Raises BadInput where there is no such cluster.
    """
    try:
        import distributed
    except ImportError:
        wants = 'the extra: pip install "copytrade[dask]"'
        raise BadInput("--dask", [Fault(path="distributed", got="not installed", wants=wants)], NOTHING_RUN) from None
    try:
        client: Any = distributed.Client(address, timeout="10s")  # type: ignore[no-untyped-call]  # it brings no types
    except (OSError, ValueError, TimeoutError) as error:
        wants = "the address of a scheduler that is up, like tcp://10.0.0.5:8786"
        raise BadInput("--dask", [Fault(path=address, got=str(error), wants=wants)], NOTHING_RUN) from None
    with client:
        return _cells(jobs, _on(client, distributed.as_completed, tape, jobs, done))


def _on(client: Any, completed: Any, tape: Tape, jobs: Sequence[Job], done: Done | None) -> list[Summary]:
    everywhere = client.scatter(tape, broadcast=True)
    futures = [client.submit(run_job, everywhere, job, pure=False) for job in jobs]
    for number, _ in enumerate(completed(futures), 1):
        if done is not None:
            done(number)
    found: list[Summary] = client.gather(futures)
    return found


def _cells(jobs: Iterable[Job], found: Sequence[Summary]) -> list[Cell]:
    settings = [job.settings for job in jobs]
    return [
        Cell(settings=settings[number], optimistic=found[number], pessimistic=found[number + 1])
        for number in range(0, len(found), 2)
    ]
