"""What all tests share: how hard Hypothesis tries, and the way to the real answers of the exchange.

`default` is the same run every time, on a laptop and in CI. `soak` looks further, for as long as it takes:
HYPOTHESIS_PROFILE=soak.
"""

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from copytrade.adapters import redaction

settings.register_profile("default", derandomize=True, deadline=None, max_examples=100, print_blob=True)
settings.register_profile(
    "soak", derandomize=False, deadline=None, max_examples=5_000, suppress_health_check=[HealthCheck.too_slow]
)
# `make mutants` only asks whether an example fails: the smallest one that does is of no use to it.
settings.register_profile(
    "mutants", settings.get_profile("default"), phases=[Phase.explicit, Phase.generate], report_multiple_bugs=False
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

SHARED = Path(__file__).resolve().parents[1] / ".." / "shared" / "polymarket"


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """`shared("recorded/clob_book_response.json")` is that file of real answers, or the test is skipped."""

    def path(name: str) -> Path:
        found = SHARED / name
        if not found.exists():
            pytest.skip(f"REAL ANSWERS MISSING: {name} is not in the folder shared/polymarket beside the repository")
        return found

    return path


@pytest.fixture(autouse=True)
def _log_of_its_own() -> Iterator[None]:
    """A test that sets the log up writes to a stream that is closed after it; nobody else may inherit that."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    forms, pattern = set(redaction._forms), redaction._pattern  # what one test hides, another may want to read
    yield
    redaction._forms.clear()
    redaction._forms.update(forms)
    redaction._pattern = pattern
    root.handlers[:] = handlers
    root.setLevel(level)
