"""What a person reads of a cycle: the answer first, then a line for each token, with its reason.

Facts for people, nothing here steers anything. Not here: the screen of `plan` (render.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TextIO

from copytrade.app.cli.render import action_text, clock_time, interval, short, shown
from copytrade.app.loop import Ending
from copytrade.app.outcomes import Cycle, OwnFill, Result
from copytrade.app.reading import printable
from copytrade.app.watching import Seen, Started, Stopped
from copytrade.domain.model import Cancel, Decision, Place, Reason, Side, TokenId, TokenKey


class Lines:
    """The plain screen: what a cycle did, line after line, on every terminal and in every file."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out, self._err = out, err
        self._every_token = True
        self._started: Started | None = None

    def on_start(self, started: Started) -> None:
        self._started = started
        self._every_token = started.once or started.dry
        for note in started.notes:
            print(f"note: {note}", file=self._err, flush=True)

    def say(self, words: str) -> None:
        """One line more."""
        print(words, file=self._out, flush=True)

    def on_cycle(self, seen: Seen) -> None:
        for line in cycle_lines(seen.cycle, requests=seen.requests, every_token=self._every_token):
            print(line, file=self._out, flush=True)

    def on_stop(self, stopped: Stopped) -> None:
        started, ending = self._started, stopped.ending
        if started is None or ending is None:
            return
        if ending.may_rest:
            print(may_rest(ending), file=self._err, flush=True)
        if ending.not_saved:
            print(not_saved(ending), file=self._err, flush=True)
        if not (ending.may_rest or ending.not_saved or started.once):
            saved = "" if started.dry else ", the state is saved"
            print(f"stopped after {ending.cycles} cycles{saved}", file=self._out, flush=True)


def may_rest(ending: Ending) -> str:
    """Which orders of ours may outlive the run."""
    return (
        f"stopped: {len(ending.may_rest)} of our orders could not be confirmed as cancelled; they expire by themselves "
        f"within minutes: {', '.join(ending.may_rest)}"
    )


def not_saved(ending: Ending) -> str:
    """What it means that the state could not be saved at the end."""
    return (
        f"{ending.not_saved}: the state before it stands, and holds every order that was ever sent. Make room, and "
        "start again: what has filled since is looked up"
    )


def cycle_lines(cycle: Cycle, *, requests: int, every_token: bool) -> Iterator[str]:
    """The lines of one cycle. Without `every_token`, tokens with nothing to say are only counted."""
    snapshot, plan = cycle.snapshot, cycle.plan
    cash = "" if snapshot.cash is None else f"   cash {shown(snapshot.cash)}"
    took = cycle.ended_at - cycle.started_at
    yield (
        f"{clock_time(snapshot.now)}  cycle {cycle.number}   {plan.mode.value}   {len(plan.decisions)} tokens   "
        f"{len(plan.cancels)} cancels   {len(plan.places)} orders{cash}   {requests} requests   {took:.2f} s"
    )
    for warning in cycle.warnings:
        yield f"  warning: {warning}"
    if not snapshot.target.complete or not snapshot.mine.complete:
        for name, positions in (("the target's", snapshot.target), ("my", snapshot.mine)):
            if not positions.complete:
                yield f"  safe mode: {name} positions are {'incomplete' if positions.ok else 'not to be had'}"
    for fill in cycle.fills:
        yield f"  {fill_text(fill)}"
    actions_of = _actions(cycle)
    quiet = 0
    for decision in plan.decisions:
        actions = actions_of.get((decision.token_key, decision.token_id), [])
        if not every_token and not actions and decision.reason in (Reason.IN_BAND, Reason.REDEEMABLE, Reason.COMBO):
            quiet += 1
            continue
        yield f"  {_decision(decision, cycle.titles.get(decision.token_key or ''))}"
        for action in actions:
            yield f"      {action}"
    if quiet:
        yield f"  … and {quiet} in the band or left alone"


def _decision(decision: Decision, title: str | None) -> str:
    want, hold = interval(decision.want_lo, decision.want_hi), interval(decision.lo, decision.hi)
    name = short(decision.token_key) if title is None else f"{short(decision.token_key)} {printable(title[:34])}"
    return f"{name:<52} want {want:>8}   hold {hold:>8}   {decision.reason.value}"


def _actions(cycle: Cycle) -> dict[tuple[TokenKey | None, TokenId | None], list[str]]:
    """The actions of each token in words, with what became of them."""
    lines: dict[tuple[TokenKey | None, TokenId | None], list[str]] = {}
    for action, result in with_results(cycle):
        lines.setdefault((action.token_key, action.token_id), []).append(action_text(action) + _outcome(result))
    return lines


def with_results(cycle: Cycle) -> Iterator[tuple[Cancel | Place, Result | None]]:
    """Each action with what became of it. There is at most one place on a token."""
    cancels = {one.order_id: one for one in cycle.results if one.action == "cancel"}
    places = {one.token_id: one for one in cycle.results if one.action == "place"}
    for action in cycle.plan.actions:
        yield action, cancels.get(action.order_id) if isinstance(action, Cancel) else places.get(action.token_id)


def action_lines(cycle: Cycle) -> Iterator[tuple[Result | None, str]]:
    """Each action on a line of its own: what, of which token, and what became of it."""
    for action, result in with_results(cycle):
        yield result, f"{action_text(action)}  {name_of(action.token_key, cycle.titles)}{_outcome(result)}"


def name_of(token_key: TokenKey | None, titles: Mapping[TokenKey, str]) -> str:
    """A token by its title, or by its key."""
    title = titles.get(token_key or "")
    return printable(title) if title else short(token_key)


def _outcome(result: Result | None) -> str:
    if result is None:
        return ""
    if result.outcome == "dry":
        return "   (dry run: not sent)"
    return f"   {result.outcome}" + (f": {printable(result.words)}" if result.words else "")


def fill_text(fill: OwnFill, titles: Mapping[TokenKey, str] | None = None) -> str:
    """A fill in words."""
    verb = "bought" if fill.side is Side.BUY else "sold"
    taken_back = "   (a trade failed: taken back)" if fill.shares < 0 else ""
    return f"{verb} {shown(fill.shares)} @ {fill.price}   {name_of(fill.token_key, titles or {})}{taken_back}"


def sale_lines(decisions: Iterable[Decision], titles: dict[TokenKey, str]) -> Iterator[str]:
    """What a live start would sell, a line each."""
    for one in decisions:
        title = printable(titles.get(one.token_key or "", ""))
        yield f"  {short(one.token_key)}  {title[:40]:<40}  hold {shown(one.lo)}  down to {shown(one.want_hi)}"
