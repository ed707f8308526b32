"""The smallest story of a failing seed: as few cycles, kinds of trouble and single strikes as it takes.

A strike is one kind of trouble in one cycle. Kinds are dropped first, one after another; then the strikes that are left
are dropped in ever smaller heaps, as long as the same law is still broken.
"""

from __future__ import annotations

from attrs import evolve, frozen

from tests.simulation.chaos import KINDS
from tests.simulation.seeds import Outcome, simulate

Strike = tuple[int, str]


@frozen(kw_only=True)
class Recipe:
    """How to see it again."""

    seed: int
    cycles: int
    without: frozenset[str] = frozenset()
    only: frozenset[Strike] | None = None

    def command(self) -> str:
        """What a person types."""
        parts = [f"SEED={self.seed} python -m tests.simulation --cycles {self.cycles}"]
        if self.only is not None:
            strikes = ",".join(f"{cycle}:{kind}" for cycle, kind in sorted(self.only))
            parts.append(f'--only "{strikes}"')
        elif self.without:
            parts.append(f'--without "{",".join(sorted(self.without))}"')
        return " ".join(parts)

    def run(self) -> Outcome:
        return simulate(self.seed, self.cycles, self.without, self.only)


def smallest(recipe: Recipe, tries: int = 400) -> tuple[Recipe, Outcome]:
    """The smallest failing recipe that was found, and what happens in it; the recipe itself where it does not fail."""
    outcome = recipe.run()
    if not outcome.violation:
        return recipe, outcome

    law = _law(outcome.violation)

    def fails(candidate: Recipe) -> bool:
        nonlocal recipe, outcome, tries
        tries -= 1
        tried = candidate.run()
        if _law(tried.violation) == law:
            recipe, outcome = candidate, tried
            return True
        return False

    if outcome.failed_in < recipe.cycles:
        fails(evolve(recipe, cycles=outcome.failed_in))
    if recipe.only is None:
        for kind in KINDS:
            if kind not in recipe.without:
                fails(evolve(recipe, without=recipe.without | {kind}))
        fails(evolve(recipe, without=frozenset(), only=frozenset(outcome.struck)))
    heap = max(len(recipe.only or ()) // 2, 1)
    while heap and recipe.only is not None and tries > 0:
        strikes = sorted(recipe.only)
        dropped = False
        for start in range(0, len(strikes), heap):
            if tries <= 0:
                break
            rest = recipe.only - frozenset(strikes[start : start + heap])
            dropped = fails(evolve(recipe, only=rest)) or dropped
        heap = heap // 2 if heap > 1 or not dropped else 1
    if outcome.failed_in < recipe.cycles:
        fails(evolve(recipe, cycles=outcome.failed_in))
    return recipe, outcome


def _law(violation: str) -> str:
    """The words by which a law is told: those before its figures."""
    return violation.split(":")[0]


def story_of(recipe: Recipe, *, last: int = 60, tries: int = 400) -> str:
    """The smallest story, in words, and the command that tells it again."""
    recipe, outcome = smallest(recipe, tries)
    told = "\n".join(outcome.story[-last:])
    return f"seed {outcome.seed}: {outcome.violation}\n{told}\nreplay: {recipe.command()}"
