"""Walk-forwards to learn from and to judge by: of the recordings, and of synthetic markets."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from hlpairs_core.backtest.walk_forward import walk_forward
from hlpairs_core.costs import CostModel
from hlpairs_core.market import Panel
from hlpairs_core.screening import ScreenSettings
from hlpairs_core.simulation import market_panel, synthetic_market
from hlpairs_core.simulation.planted import PlantedPair

Walked = tuple[pd.DataFrame, pd.DataFrame]
SYNTHETIC_COINS, SYNTHETIC_END = 60, "2025-09-01T00:00Z"
# The synthetic market has no impact, and half spreads of about 1 bp on the coins that are planted.
SYNTHETIC_COSTS = CostModel(impact_coefficient=0.0)


def recorded(
    data: Path,
    *,
    settings: ScreenSettings,
    every: int,
    until: str | None,
    folder: Path | None,
    say: Callable[[str], object],
) -> Walked:
    """Screen and trade every `every`-th closed bar of recorded perps; rows and bars.

    A folder keeps finished parts, so that a run that was interrupted goes on.
    """
    panel = Panel.from_candles(
        pd.read_parquet(data / "candles_1h.parquet"),
        pd.read_parquet(data / "funding.parquet"),
        interval="1h",
        end=until,
    )
    say(f"recorded perps: {panel.n_coins} coins, {panel.n_bars:,} hourly bars")
    found = walk_forward(panel, settings=settings, every=every, resume=folder)
    return found.rows, found.bars


def synthetic(seed: int, *, planted: bool, every: int, settings: ScreenSettings, folder: Path) -> Walked:
    """Screen and trade a synthetic market from its opening on, or read that from the folder."""
    name = f"{'planted' if planted else 'nothing'}-{seed}-every{every}"
    rows_path, bars_path = folder / f"{name}.parquet", folder / f"{name}-bars.parquet"
    if not rows_path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        panel = market_panel(_market(seed, planted))
        found = walk_forward(panel, settings=settings, costs=SYNTHETIC_COSTS, every=every)
        found.bars.to_parquet(bars_path)
        found.rows.to_parquet(rows_path.with_suffix(".tmp"))
        rows_path.with_suffix(".tmp").replace(rows_path)
    return pd.read_parquet(rows_path), pd.read_parquet(bars_path)


def truth(seed: int, *, planted: bool) -> dict[frozenset[str], PlantedPair]:
    """Return the cointegrated pairs of perps, by their two coins."""
    pairs = [pair for pair in _market(seed, planted).truth() if pair.kind != "spot"]
    return {frozenset((pair.y, pair.x)): pair for pair in pairs}


def last_line(numbers: dict[str, object]) -> str:
    """Return one line of JSON."""
    return json.dumps(numbers, allow_nan=False)


def _market(seed: int, planted: bool):  # type: ignore[no-untyped-def]
    return synthetic_market(seed, SYNTHETIC_COINS, start=SYNTHETIC_END, clock=lambda: 0.0, planted=planted)
