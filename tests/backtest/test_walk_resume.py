"""An interrupted walk-forward goes on; what it finds in its folder is checked before it is believed."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from hlpairs_core.backtest import WalkForward, walk_forward
from hlpairs_core.costs import CostModel
from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel
from hlpairs_core.screening import ScreenSettings

SETTINGS = ScreenSettings(window=30, min_day_notional_usd=0.0, horizon_hours=6.0)
COSTS = CostModel(assumed_funding_per_hour=1e-5)


class Interrupted(Exception):
    pass


@pytest.fixture(scope="module")
def history(messy_market: Callable[..., Panel]) -> Panel:
    return messy_market(280, 6, seed=5)


@pytest.fixture(scope="module")
def walked(history: Panel) -> WalkForward:
    found = walk_forward(history, settings=SETTINGS, costs=COSTS)
    assert len(found.rows) > 30
    return found


def same(one: WalkForward, other: WalkForward) -> None:
    pd.testing.assert_frame_equal(one.rows, other.rows, check_exact=True)
    pd.testing.assert_frame_equal(one.bars, other.bars, check_exact=True)
    assert one.span == other.span


def parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.parquet"))


def test_an_interrupted_run_goes_on_where_it_stopped(history: Panel, walked: WalkForward, tmp_path: Path) -> None:
    def stop_after_two(done: int, total: int) -> None:
        if done == 240:
            raise Interrupted

    with pytest.raises(Interrupted):
        walk_forward(history, settings=SETTINGS, costs=COSTS, resume=tmp_path, progress=stop_after_two)
    before = {path: path.stat().st_mtime_ns for path in parts(tmp_path)}
    assert len(before) == 2
    told: list[tuple[int, int]] = []
    same(
        walk_forward(history, settings=SETTINGS, costs=COSTS, resume=tmp_path, progress=lambda *c: told.append(c)),
        walked,
    )
    assert told == [(120, 249), (240, 249), (249, 249)]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(parts(tmp_path)) == 3


@pytest.fixture
def filled(history: Panel, tmp_path: Path) -> Path:
    walk_forward(history, settings=SETTINGS, costs=COSTS, resume=tmp_path / "walk", start=40, stop=90)
    return tmp_path / "walk"


def again(history: Panel, folder: Path) -> WalkForward:
    return walk_forward(history, settings=SETTINGS, costs=COSTS, resume=folder, start=40, stop=90)


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "no parquet"])
def test_a_damaged_part_is_computed_anew(history: Panel, filled: Path, damage: str) -> None:
    whole = again(history, filled)
    (part,) = parts(filled)
    data = bytearray(part.read_bytes())
    if damage == "flipped":
        data[len(data) // 3] ^= 0xFF
    part.write_bytes(
        {"cut": data[: len(data) // 2], "emptied": b"", "no parquet": b"PAR1 nothing PAR1"}.get(damage, data)
    )
    same(again(history, filled), whole)
    (mended,) = parts(filled)
    assert mended.name == part.name
    same(again(history, filled), whole)


def test_a_longer_history_goes_on_in_the_same_folder(history: Panel, walked: WalkForward, tmp_path: Path) -> None:
    walk_forward(history.rows(0, 200), settings=SETTINGS, costs=COSTS, resume=tmp_path)
    same(walk_forward(history, settings=SETTINGS, costs=COSTS, resume=tmp_path), walked)


def test_a_coin_that_was_not_listed_yet_changes_nothing(history: Panel, filled: Path) -> None:
    nothing = np.full((history.n_bars, 1), np.nan)
    fields = ("open", "high", "low", "close", "volume", "funding")
    arrays = {name: np.hstack([nothing, getattr(history, name)]) for name in fields}
    wider = replace(history, coins=("A", *history.coins), **arrays)
    same_rows = again(wider, filled).rows.astype({"y": str, "x": str})
    pd.testing.assert_frame_equal(same_rows, again(history, filled).rows.astype({"y": str, "x": str}))


def test_other_rules_are_refused_with_what_differs(history: Panel, filled: Path) -> None:
    other = replace(SETTINGS, z_in=2.5, lag_rule="bic")
    with pytest.raises(InputError, match=r"lag_rule is 'aic' there, 'bic' here; z_in is 2.0 there, 2.5 here"):
        walk_forward(history, settings=other, costs=COSTS, resume=filled)
    with pytest.raises(InputError, match=r"taker_fee_bps is 4.5 there, 3.0 here"):
        walk_forward(history, settings=SETTINGS, costs=replace(COSTS, taker_fee_bps=3.0), resume=filled)
    with pytest.raises(InputError, match=r"candidate_p is 0.1 there, 0.2 here"):
        walk_forward(history, settings=SETTINGS, costs=COSTS, resume=filled, candidate_p=0.2)


def test_another_panel_is_refused_with_what_differs(history: Panel, filled: Path) -> None:
    close = history.close.copy()
    close[50, history.coins.index("C2")] *= 1.01
    with pytest.raises(
        InputError, match=r"another panel: bars of C2 differ in 2025-01-01 10:00 to 2025-01-04 17:00 UTC"
    ):
        again(replace(history, close=close), filled)


def test_unknown_columns_are_refused(history: Panel, filled: Path) -> None:
    (part,) = parts(filled)
    table = pq.read_table(part)
    part.unlink()
    renamed = filled / "renamed.parquet"
    pq.write_table(table.rename_columns(["alfa" if name == "alpha" else name for name in table.column_names]), renamed)
    digest = hashlib.sha256(renamed.read_bytes()).hexdigest()[:24]
    renamed.rename(part.with_name(f"{part.stem.rpartition('-')[0]}-{digest}.parquet"))
    with pytest.raises(InputError, match=r"unknown columns or lacks some \(alfa, alpha\)"):
        again(history, filled)


def test_a_folder_with_an_unreadable_manifest_is_refused(history: Panel, filled: Path) -> None:
    (filled / "walk-forward.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        again(history, filled)
