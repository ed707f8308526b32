"""What a run says where nobody watches a screen: a line for each cycle, order, cancel, fill, refusal and warning.

The events and their keys are part of what a user builds on: docs/logs.md. Levels: debug is for requests, info for what
a run does, warning for what a person may want to look at, error for what he has to.

Not here: how lines are written, and in which form (adapters/logs.py).
"""

from __future__ import annotations

from typing import Any, TextIO

import structlog

from copytrade import __version__
from copytrade.app.cli._lines import may_rest, not_saved, with_results
from copytrade.app.cli.render import why_safe
from copytrade.app.config import CANCEL
from copytrade.app.folding import Folded, News
from copytrade.app.outcomes import Cycle, OwnFill, Result
from copytrade.app.story import outside_band, sums_of
from copytrade.app.watching import Seen, Started, Stopped
from copytrade.domain.amounts import CENT
from copytrade.domain.model import Cancel, Place, Reason

_LEVELS = {"accepted": "info", "confirmed": "info", "dry": "info", "dropped": "info"}  # what else becomes of an action

# Reasons that the lines of orders, of safe mode and of redeemable positions tell, and the one that is no news.
_TOLD = frozenset(
    {
        Reason.QUOTED,
        Reason.REQUOTED,
        Reason.RESTING,
        Reason.SETTLING,
        Reason.IN_BAND,
        Reason.SAFE_MODE,
        Reason.REDEEMABLE,
    }
)


class LogLines:
    """The watcher that writes the log."""

    def __init__(self, err: TextIO) -> None:
        self._err = err
        self._log = structlog.get_logger("copytrade.run")
        self._warnings = Folded()
        self._safe: tuple[str, ...] = ()
        self._redeemable: frozenset[str] = frozenset()
        self._reasons: dict[str, Reason] = {}
        self._started: Started | None = None

    def on_start(self, started: Started) -> None:
        self._started = started
        policy, config = started.config.policy, started.config
        self._log.info(
            "run_started",
            mode="dry" if started.dry else "live",
            version=__version__,
            target=policy.target_address,
            my_address=policy.my_address,
            follow_ratio=policy.follow_ratio,
            poll_interval_sec=config.poll_interval_sec,
            state_path=config.state_path,
            journal_dir=config.journal_dir,
        )
        for note in started.notes:
            self._log.warning("note", words=note)

    def at_start(self, words: str) -> None:
        """What a start would sell, a line each, and whether it goes on."""
        self._log.warning("start_would_sell", words=" ".join(words.split()))

    def on_cycle(self, seen: Seen) -> None:
        cycle = seen.cycle
        self._facts(cycle)
        for fill in cycle.fills:
            self._fill(cycle, fill)
        for action, result in with_results(cycle):
            if isinstance(action, Cancel):
                self._cancel(action, result)
            else:
                self._place(cycle, action, result)
        self._tell_reasons(cycle)
        for told in self._warnings.take(cycle.warnings, cycle.snapshot.now):
            if told.news is News.OVER:
                self._log.info("warning_over", words=told.words, since=told.since, cycles=told.cycles)
            elif told.news is News.AGAIN:
                self._log.warning("warning", words=told.words, since=told.since, cycles=told.cycles)
            else:
                self._log.warning("warning", words=told.words)
        self._sum_up(seen)

    def on_stop(self, stopped: Stopped) -> None:
        ending = stopped.ending
        if ending is None:
            self._log.error("run_failed", words=str(stopped.error), kind=type(stopped.error).__name__)
            return
        if ending.may_rest:
            self._trouble("orders_may_rest", may_rest(ending), order_ids=list(ending.may_rest))
        if ending.not_saved:
            self._trouble("state_not_saved", not_saved(ending))
        words = "see the error before this" if ending.may_rest or ending.not_saved else self._goodbye()
        self._log.info("run_stopped", words=words, cycles=ending.cycles)

    def _trouble(self, event: str, words: str, **more: object) -> None:
        """An end that a person has to know of: on standard error as well, where he looks first."""
        self._log.error(event, words=words, **more)
        print(words, file=self._err, flush=True)

    def _goodbye(self) -> str:
        started = self._started
        if started is None or started.dry:
            return "nothing was sent"
        if started.once or started.config.on_stop != CANCEL:
            return "our orders stay, the state is saved"
        return "no order of ours rests, the state is saved"

    def _facts(self, cycle: Cycle) -> None:
        """What holds for all tokens, where it has changed."""
        safe = why_safe(cycle.snapshot)
        if safe and safe != self._safe:
            self._log.warning("safe_mode", words=" and ".join(safe))
        elif self._safe and not safe:
            self._log.info("safe_mode_over")
        self._safe = safe
        if cycle.snapshot.mine.complete:
            rows = [row for row in cycle.snapshot.mine.positions if row.redeemable and row.size > 0]
            for row in rows:
                if row.token_key not in self._redeemable:
                    worth = row.size * row.current_price
                    self._log.warning("redeemable", token_key=row.token_key, title=row.title, worth=worth)
            self._redeemable = frozenset(row.token_key for row in rows)

    def _tell_reasons(self, cycle: Cycle) -> None:
        """Why a token is not traded, where that is new and no other line tells it."""
        reasons = {one.token_key: one.reason for one in cycle.plan.decisions if one.token_key is not None}
        for one in cycle.plan.decisions:
            key = one.token_key
            if key is not None and one.reason not in _TOLD and one.reason is not self._reasons.get(key):
                self._log.info(
                    "reason", reason=one.reason, gap=one.delta, title=cycle.titles.get(key, ""), token_key=key
                )
        # A band or an order in between does not make an old reason new; another reason does.
        self._reasons = {
            key: self._reasons.get(key, reason) if reason in _TOLD else reason for key, reason in reasons.items()
        }

    def _fill(self, cycle: Cycle, fill: OwnFill) -> None:
        taken_back = fill.shares < 0
        log = self._log.warning if taken_back else self._log.info
        log(
            "fill_taken_back" if taken_back else "fill",
            side=fill.side,
            shares=abs(fill.shares),
            price=fill.price,
            title=cycle.titles.get(fill.token_key, ""),
            token_key=fill.token_key,
            order_id=fill.order_id,
        )

    def _cancel(self, cancel: Cancel, result: Result | None) -> None:
        outcome = result.outcome if result is not None else "not_sent"
        self._at(outcome)(
            "cancel",
            outcome=outcome,
            reason=cancel.reason,
            token_key=cancel.token_key,
            order_id=cancel.order_id,
            **_words(result),
        )

    def _place(self, cycle: Cycle, place: Place, result: Result | None) -> None:
        outcome = result.outcome if result is not None else "not_sent"
        ids = {"order_id": result.order_id} if result is not None and result.order_id else {}
        self._at(outcome)(
            "refusal" if outcome == "refused" else "order",
            outcome=outcome,
            side=place.side,
            shares=place.size,
            price=place.price,
            **_words(result),
            title=cycle.titles.get(place.token_key, ""),
            token_key=place.token_key,
            **ids,
        )

    def _at(self, outcome: str) -> Any:
        return self._log.info if _LEVELS.get(outcome) == "info" else self._log.warning

    def _sum_up(self, seen: Seen) -> None:
        cycle = seen.cycle
        snapshot, plan = cycle.snapshot, cycle.plan
        sums = sums_of(snapshot, plan)
        self._log.info(
            "cycle",
            number=cycle.number,
            mode=plan.mode,
            tokens=len(plan.decisions),
            gaps=outside_band(plan.decisions, snapshot),
            cancels=len(plan.cancels),
            orders=len(plan.places),
            fills=len(cycle.fills),
            warnings=len(cycle.warnings),
            **({} if sums.cash is None else {"cash": sums.cash}),
            counted=sums.counted.quantize(CENT),
            requests=seen.requests,
            seconds=cycle.ended_at - cycle.started_at,
        )


def _words(result: Result | None) -> dict[str, str]:
    return {"words": result.words} if result is not None and result.words else {}
