"""Walk-forwards to learn from and to judge by: of the recordings, and of synthetic markets."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from hlpairs_core.backtest.walk_carry import walk_carry
from hlpairs_core.backtest.walk_forward import walk_forward
from hlpairs_core.costs import CostModel
from hlpairs_core.exceptions import InputError
from hlpairs_core.market import Panel
from hlpairs_core.market.spot_names import SpotMatch, match_recorded
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
    panel = _perps(data, until)
    say(f"recorded perps: {panel.n_coins} coins, {panel.n_bars:,} hourly bars")
    found = walk_forward(panel, settings=settings, every=every, resume=folder)
    return found.rows, found.bars


def recorded_carry(
    data: Path,
    *,
    horizons: Sequence[float],
    settings: ScreenSettings,
    every: int,
    until: str | None,
    say: Callable[[str], object],
) -> dict[float, pd.DataFrame]:
    """Screen and trade recorded spot pairs against their perps at the signal bars of `recorded`; rows by horizon.

    Empty where that cannot be: says why.
    """
    try:
        perps, spots, matches = _spots(data, until, say)
        walked = {
            hours: walk_carry(perps, spots, matches, settings=settings, every=every, horizon=hours)
            for hours in horizons
        }
    except (OSError, InputError) as problem:
        say(f"no spot against perp: {problem}")
        return {}
    some = {hours: found.rows for hours, found in walked.items() if len(found.rows)}
    if not some:
        say("no spot against perp: at no bar has a pair a sound week behind it and funding to be received")
    return some


def _perps(data: Path, until: str | None) -> Panel:
    candles, funding = (pd.read_parquet(data / f"{name}.parquet") for name in ("candles_1h", "funding"))
    return Panel.from_candles(candles, funding, interval="1h", end=until)


def _spots(data: Path, until: str | None, say: Callable[[str], object]) -> tuple[Panel, Panel, tuple[SpotMatch, ...]]:
    candles = pd.read_parquet(data / "spot_candles_1h.parquet")
    perps = _perps(data, until)
    tokens = sorted(candles["coin"].astype(str).unique())
    matches = match_recorded(tokens, perps.coins)
    if not matches:
        raise InputError(f"none of the recorded spot tokens ({', '.join(tokens)}) is known to be the coin of a perp")
    left_out = [token for token in tokens if token not in {one.token for one in matches}]
    said = ", ".join(f"{one.token}-{one.perp}" for one in matches)
    say(f"recorded spot: {said}" + (f"; left out: {', '.join(left_out)}" if left_out else ""))
    names = {one.token: one.coin for one in matches}
    renamed = candles.assign(coin=candles["coin"].astype(str).map(names)).dropna(subset="coin")
    return perps, Panel.from_candles(renamed, interval="1h", coins=list(names.values()), end=until), matches


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
