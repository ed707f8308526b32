"""Settings of a run by their names: the keys of the configuration that decide, and those of the assumptions.

    {"follow_ratio": "0.5", "maker_only": "false", "feed_lag_sec": "60"}  ->  Policy, Assumptions

Values are texts as a person types them. Not here: the configuration file itself (app/config.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches

from attrs import evolve, fields_dict

from copytrade.app.backtest.assumptions import Assumptions, faults
from copytrade.app.backtest.tape import NOTHING_RUN
from copytrade.app.config import KEYS, read_policy
from copytrade.app.reading import Spot, exact, parse
from copytrade.domain.policy import Policy
from copytrade.errors import BadInput, Fault

POLICY_KEYS = tuple(fields_dict(Policy))
ASSUMPTION_KEYS = tuple(fields_dict(Assumptions))
_SWITCHES = {"true": True, "false": False}


def read_settings(
    given: Mapping[str, str], *, config: bytes | None = None, source: str = "settings"
) -> tuple[Policy, Assumptions]:
    """The policy and the assumptions that these settings name; what is left out has its default.

    `config` is the text of a configuration file; `given` wins over it. Raises BadInput with every fault.

    >>> policy, assumptions = read_settings({"follow_ratio": "0.5", "feed_lag_sec": "60"})
    >>> policy.follow_ratio, assumptions.feed_lag_sec
    (Decimal('0.5'), Decimal('60'))
    """
    wrong: list[Fault] = []
    document: dict[str, object] = {}
    if config is not None:
        found = parse(config, "the configuration", NOTHING_RUN)
        if not isinstance(found, dict):
            raise BadInput("the configuration", [Fault(path="", got="", wants="an object")], NOTHING_RUN)
        document = {**found}
    world: dict[str, Decimal] = {}
    if "poll_interval_sec" in document and "poll_interval_sec" not in given:
        given = {**given, "poll_interval_sec": str(document["poll_interval_sec"])}
    for name, text in given.items():
        if name in ASSUMPTION_KEYS:
            value = exact(text)
            if value is None:
                wrong.append(Fault(path=name, got=text, wants="a number"))
            else:
                world[name] = value
        elif name in POLICY_KEYS:
            document[name] = text.split(",") if KEYS[name].many else _SWITCHES.get(text, text)
        else:
            near = get_close_matches(name, (*ASSUMPTION_KEYS, *POLICY_KEYS), 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            wrong.append(Fault(path=name, got="", wants=f"unknown setting{hint}"))
    found_faults: list[Fault] = []
    spot = Spot(value={name: value for name, value in document.items() if name in KEYS}, faults=found_faults)
    policy = read_policy(spot)
    unknown = document.keys() - KEYS.keys()
    wrong += [Fault(path=name, got="", wants="unknown key") for name in sorted(unknown)]
    wrong += [Fault(path=fault.path.removeprefix("."), got=fault.got, wants=fault.wants) for fault in found_faults]
    # Two settings may only make sense together, so they are put in together before they are judged.
    blank = Assumptions()
    draft = _draft(blank, world)
    wrong += [Fault(path=name, got=got, wants=wants) for name, got, wants in faults(draft)]
    if wrong or policy is None:
        raise BadInput(source, wrong, NOTHING_RUN)
    return policy, evolve(blank, **world)


class _Draft:
    """Assumptions that are not checked yet."""

    def __init__(self, values: Mapping[str, Decimal]) -> None:
        self.__dict__.update(values)


def _draft(blank: Assumptions, world: Mapping[str, Decimal]) -> Assumptions:
    values = {name: getattr(blank, name) for name in ASSUMPTION_KEYS}
    return _Draft({**values, **world})  # type: ignore[return-value]  # it has every member of one
