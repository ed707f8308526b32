"""A record that is made fast cannot be told from one that is made by its class."""

import copy
import pickle
from decimal import Decimal

import pytest
from attrs import evolve, field, fields, frozen
from attrs.exceptions import FrozenInstanceError

from copytrade.domain.memory import Base, OwnOrder, Standing, base_evolved, new_base, order_evolved
from copytrade.domain.model import BUY, Cancel, CancelReason, Decision, Place, Reason
from copytrade.domain.plan import new_decision
from copytrade.domain.quote import Quote, new_quote
from copytrade.domain.reconcile import new_cancel, new_place
from copytrade.domain.records import evolver, maker
from copytrade.domain.risk import Budget, new_budget

D = Decimal
DECIDED = {
    "token_key": "0xc1:0",
    "token_id": "111",
    "want_lo": D(1),
    "want_hi": D(2),
    "desired": D(2),
    "lo": D(3),
    "hi": D(4),
    "delta": D(-1),
    "ref_price": D("0.5"),
    "reason": Reason.IN_BAND,
}
CANCEL = {"token_key": None, "token_id": "111", "order_id": "0xaa", "reason": CancelReason.EXPIRED}
PLACE = {
    "token_key": "0xc1:0",
    "token_id": "111",
    "side": BUY,
    "price": D("0.61"),
    "size": D(20),
    "tick_size": D("0.01"),
}

MADE = [
    (Budget, new_budget, {"notional": D(7)}),
    (Budget, new_budget, {"notional": D(7), "cash": D(8)}),
    (Decision, new_decision, DECIDED),
    (Decision, new_decision, {**DECIDED, "warning": "look"}),
    (Quote, new_quote, {"price": D("0.61"), "tick_size": D("0.01"), "post_only": True}),
    (Cancel, new_cancel, CANCEL),
    (Place, new_place, PLACE),
    (Place, new_place, {**PLACE, "post_only": False}),
    (Base, new_base, {"base": D(5), "seen": D(4)}),
]


@pytest.mark.parametrize(("record", "make", "given"), MADE, ids=lambda one: getattr(one, "__name__", ""))
class TestARecordThatIsMadeFast:
    def test_is_the_same_as_one_of_its_class(self, record, make, given):
        made, usual = make(**given), record(**given)
        assert type(made) is record
        assert made == usual
        assert hash(made) == hash(usual)
        assert repr(made) == repr(usual)
        assert all(getattr(made, one.name) is getattr(usual, one.name) for one in fields(record))

    def test_is_frozen(self, record, make, given):
        made = make(**given)
        name = next(iter(given))
        with pytest.raises(FrozenInstanceError):
            setattr(made, name, None)
        with pytest.raises(FrozenInstanceError):
            delattr(made, name)
        with pytest.raises(AttributeError):
            made.another = 1

    def test_is_evolved_copied_and_pickled_like_any_other(self, record, make, given):
        made, name = make(**given), next(iter(given))
        assert evolve(made, **{name: given[name]}) == made
        assert evolver(record)(made, **{name: given[name]}) == made
        assert copy.copy(made) == made
        assert pickle.loads(pickle.dumps(made)) == made

    def test_shares_nothing_with_the_next(self, record, make, given):
        name = next(iter(given))
        another = D("0.75") if isinstance(given[name], Decimal) else "another"
        one, other = make(**given), make(**{**given, name: another})
        assert getattr(one, name) == given[name]
        assert getattr(other, name) == another

    def test_wants_what_its_class_wants(self, record, make, given):
        for maker_of_it in (make, maker(record)):
            with pytest.raises(TypeError):
                maker_of_it(**dict(list(given.items())[1:]))
            with pytest.raises(TypeError):
                maker_of_it(**given, unheard_of=1)


class TestWhatIsWrong:
    """It is refused as the class refuses it."""

    @pytest.mark.parametrize(
        "wrong",
        [{"price": D(0)}, {"price": D(1)}, {"price": D("NaN")}, {"size": D(0)}, {"size": D(-1)}, {"tick_size": D(2)}],
    )
    def test_no_place_that_makes_no_sense_is_made(self, wrong):
        with pytest.raises(ValueError) as by_class:
            Place(**{**PLACE, **wrong})
        with pytest.raises(ValueError) as made:
            new_place(**{**PLACE, **wrong})
        assert str(made.value) == str(by_class.value)

    @pytest.mark.parametrize("wrong", [{"moved_at": D(-1)}, {"seen": D(-1)}, {"avg_price": D("NaN")}])
    def test_what_has_a_default_is_looked_at_as_well(self, wrong):
        with pytest.raises(ValueError) as by_class:
            Base(base=D(5), **wrong)
        with pytest.raises(ValueError) as made:
            maker(Base)(base=D(5), **wrong)
        assert str(made.value) == str(by_class.value)

    def test_a_validator_sees_the_fields_that_come_before(self):
        @frozen(kw_only=True, weakref_slot=False)
        class Pair:
            most: int
            some: int = field()

            @some.validator
            def _within(self, _, value):
                if value > self.most:
                    raise ValueError(f"at most {self.most}")

        assert maker(Pair)(most=2, some=2) == Pair(most=2, some=2)
        with pytest.raises(ValueError, match="at most 2"):
            maker(Pair)(most=2, some=3)

    def test_no_maker_is_made_of_what_it_does_not_see_to(self):
        @frozen(kw_only=True, weakref_slot=False)
        class Anew:
            several: list[int] = field(factory=list)

        @frozen(kw_only=True, weakref_slot=False)
        class Converted:
            text: str = field(converter=str)

        with pytest.raises(AssertionError, match="several is made anew"):
            maker(Anew)
        with pytest.raises(AssertionError, match="text is not taken as it is"):
            maker(Converted)


class TestEvolving:
    """It does what attrs.evolve does."""

    OWN = OwnOrder(
        order_id="0xaa",
        token_key="0xc1:0",
        token_id="111",
        side=BUY,
        price=D("0.5"),
        size=D(10),
        ts=D(1),
        expiration=D(200),
    )

    @pytest.mark.parametrize(
        "changes",
        [{}, {"standing": Standing.GONE, "gone_at": D(7)}, {"gone_at": None, "matched": D(3)}, {"cancelled": True}],
    )
    def test_what_is_not_named_stays(self, changes):
        changed = order_evolved(self.OWN, **changes)
        assert changed == evolve(self.OWN, **changes)
        assert type(changed) is OwnOrder
        with pytest.raises(FrozenInstanceError):
            setattr(changed, "matched", D(1))  # noqa: B010  # mypy knows already that it may not

    def test_the_old_record_stays_what_it_was(self):
        before = Base(base=D(5))
        assert base_evolved(before, base=D(6)).base == 6
        assert before == Base(base=D(5))

    def test_what_is_wrong_is_refused(self):
        with pytest.raises(ValueError, match="matched must be finite and not negative"):
            order_evolved(self.OWN, matched=D(-1))
        with pytest.raises(ValueError, match="matched must be finite and not negative"):
            evolver(OwnOrder)(self.OWN, matched=D(-1))
        with pytest.raises(TypeError):
            order_evolved(self.OWN, unheard_of=1)
