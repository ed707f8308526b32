"""Outcome ids: the shape of every known vector, and every CTF row that others recorded reproduced from its market."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from copytrade.adapters.token_ids import IdKind, ctf_candidates, ctf_token_id, kind_of
from copytrade.domain.ids import is_canonical, is_combo_condition

REAL = Path(__file__).resolve().parents[3] / "shared" / "polymarket" / "real"
needs_recordings = pytest.mark.skipif(not REAL.is_dir(), reason=f"NOT CHECKED: the recorded answers are not at {REAL}")


def recorded(name: str) -> Any:
    return json.loads((REAL / name).read_bytes())


class TestShape:
    """API.md: module 8 bits | hash 128 | arity 16 | reserved 64 (zero) | chain 16 | condition 16 | outcome 8."""

    @needs_recordings
    def test_every_vector_of_another_implementation_is_told_alike(self) -> None:
        names = {
            IdKind.CTF: "ctf",
            IdKind.V2_BINARY: "v2",
            IdKind.V2_NEG_RISK: "v2",
            IdKind.COMBO: "combo",
            IdKind.MALFORMED: "invalid",
        }
        vectors = recorded("pmwallets_copytrade-0.4.1/position-ids.json")["ids"]
        assert len(vectors) == 23
        assert {v["name"]: names[kind_of(v["id"])] for v in vectors} == {v["name"]: v["kind"] for v in vectors}

    @pytest.mark.parametrize(
        ("module", "kind"),
        [
            (0, IdKind.CTF),
            (1, IdKind.V2_BINARY),
            (2, IdKind.V2_NEG_RISK),
            (3, IdKind.COMBO),
            (4, IdKind.CTF),
            (255, IdKind.CTF),
        ],
    )
    def test_module_decides_once_the_reserved_bits_are_zero(self, module: int, kind: IdKind) -> None:
        rest = (0xABCDEF << 120) | (2 << 104) | (137 << 24) | (5 << 8) | 1
        assert kind_of(str((module << 248) | rest)) is kind

    @pytest.mark.parametrize("bit", range(256))
    def test_exactly_the_64_reserved_bits_make_it_a_hash(self, bit: int) -> None:
        plain = 1 << 248
        if 40 <= bit < 104:
            assert kind_of(str(plain | 1 << bit)) is IdKind.CTF
        elif bit < 248:
            assert kind_of(str(plain | 1 << bit)) is IdKind.V2_BINARY

    @pytest.mark.parametrize("odd", ["", "01", "+1", "-1", " 1", "1 ", "1\n", "0x1", "1_0", "1e3", "1.0", "١", "²"])
    def test_a_number_in_any_other_spelling_is_malformed(self, odd: str) -> None:
        assert not is_canonical(odd)
        assert kind_of(odd) is IdKind.MALFORMED

    def test_the_range_ends_at_256_bits(self) -> None:
        assert kind_of(str(2**256 - 1)) is IdKind.CTF
        assert kind_of(str(2**256)) is IdKind.MALFORMED
        assert kind_of("9" * 1_000_000) is IdKind.MALFORMED

    def test_combo_conditions_are_one_byte_short(self) -> None:
        combo = f"{1628948707922995775031622509772078765406110626872621424817699628095377506304:064x}"
        assert is_combo_condition("0x" + combo[:62])
        assert not is_combo_condition("0x" + combo)  # 64 digits: a market, as far as the text can tell
        assert not is_combo_condition(combo[:62])
        assert not is_combo_condition("0xc1")
        assert not is_combo_condition("0x01" + combo[2:62])  # a binary market without its last byte
        assert not is_combo_condition("0x02" + combo[2:62])
        assert not is_combo_condition("0x" + combo[:61] + "g")


def claims() -> Iterator[tuple[str, str, int, str, bool | None]]:
    """(file, condition id, outcome index, token id, neg-risk or None where the row is silent) of every recorded row."""
    v1 = ["data_api_positions_sample", "data_api_trades_global_sample", "activity_sample"]
    for name in (f"nexiumito-polycopy/{stem}.json" for stem in v1):
        for row in recorded(name):
            if row["asset"]:  # redemptions have none
                yield name, row["conditionId"], row["outcomeIndex"], row["asset"], row.get("negativeRisk")
            if row.get("oppositeAsset"):
                yield name, row["conditionId"], 1 - row["outcomeIndex"], row["oppositeAsset"], row["negativeRisk"]
    gamma = [
        "gamma_market_sample",
        "gamma_market_crypto_fees_sample",
        "gamma_markets_categories_sample",
        "gamma_top_markets_sample",
    ]
    for name in (f"nexiumito-polycopy/{stem}.json" for stem in gamma):
        found = recorded(name)
        for market in found if isinstance(found, list) else [found]:
            for index, token_id in enumerate(json.loads(market.get("clobTokenIds") or "[]")):
                yield name, market["conditionId"], index, token_id, market.get("negRisk")
    v2 = ["positions", "positions_closed", "trades", "activity"]
    names = [f"polyoxide-data-v2/{stem}.json" for stem in v2]
    names += [f"polymarket-py-sdk-data-v2/{stem}.json" for stem in v2 if stem != "positions_closed"]
    for name in names:
        found = recorded(name)
        for row in found["data"] if isinstance(found, dict) else found:
            yield name, row["condition_id"], row["outcome_index"], row["token_id"], row.get("negative_risk")
            if row.get("opposite_token_id"):
                opposite = 1 - row["outcome_index"]
                yield name, row["condition_id"], opposite, row["opposite_token_id"], row["negative_risk"]


@needs_recordings
class TestComputed:
    """API.md: a CTF token id is a function of the market's condition, the outcome and the collateral."""

    def test_every_recorded_ctf_row_is_reproduced(self) -> None:
        reproduced, unknown_index, by_file = 0, 0, dict[str, int]()
        for name, condition_id, index, token_id, neg_risk in claims():
            if kind_of(token_id) is not IdKind.CTF:
                continue
            if index == 999:  # a fresh version-2 row that does not say: the id then tells which outcome it is
                assert any(token_id in ctf_candidates(condition_id, i) for i in (0, 1)), (name, condition_id)
                unknown_index += 1
            elif neg_risk is None:
                assert token_id in ctf_candidates(condition_id, index), (name, condition_id, index)
            else:
                assert token_id == ctf_token_id(condition_id, index, neg_risk), (name, condition_id, index, neg_risk)
            reproduced += 1
            by_file[name] = by_file.get(name, 0) + 1
        for name, count in by_file.items():
            print(f"{count:5}  {name}")
        print(f"{reproduced:5}  token ids reproduced, {unknown_index} of them without a usable outcome_index")
        assert (reproduced, unknown_index) == (864, 5)  # fewer: rows were passed over

    def test_another_outcome_or_collateral_is_another_token(self) -> None:
        row = recorded("nexiumito-polycopy/data_api_positions_sample.json")[0]
        right = ctf_token_id(row["conditionId"], row["outcomeIndex"], row["negativeRisk"])
        assert right == row["asset"]
        assert ctf_token_id(row["conditionId"], 1 - row["outcomeIndex"], row["negativeRisk"]) == row["oppositeAsset"]
        assert ctf_token_id(row["conditionId"], row["outcomeIndex"], not row["negativeRisk"]) != right

    def test_the_letters_case_of_the_condition_does_not_matter(self) -> None:
        condition_id = recorded("nexiumito-polycopy/data_api_positions_sample.json")[0]["conditionId"]
        upper = "0x" + condition_id[2:].upper()
        assert ctf_candidates(upper, 0) == ctf_candidates(condition_id, 0)


class TestRefused:
    """What can't be an outcome is not computed: a wrong id would be looked up, or worse."""

    @pytest.mark.parametrize("index", [-1, 256, 999])
    def test_an_index_that_no_condition_has(self, index: int) -> None:
        with pytest.raises(ValueError, match="outcome_index"):
            ctf_token_id("0x" + "11" * 32, index, neg_risk=False)

    @pytest.mark.parametrize("condition", ["", "0xc1", "11" * 32, "0x" + "11" * 31, "0x" + "1g" * 32, "0x" + "11" * 33])
    def test_a_condition_id_that_is_not_32_bytes(self, condition: str) -> None:
        with pytest.raises(ValueError, match="condition_id"):
            ctf_candidates(condition, 0)


def test_importing_loads_no_hash_function() -> None:
    """`import copytrade`, `--help` and `plan` never pay for keccak."""
    check = (
        "import sys, copytrade.adapters.token_ids; sys.exit(any(m.startswith(('eth_', 'Crypto')) for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
