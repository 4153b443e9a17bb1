"""Spot against the perpetual of the same coin, held for some hours: what each policy takes of it, one a bar."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.walked import recorded_carry
from hlpairs_core.edge import EdgeModel
from hlpairs_core.edge.choice import best_of_bars
from hlpairs_core.edge.holds import data_end, longest_hold
from hlpairs_core.exceptions import InputError
from hlpairs_core.screening import ScreenSettings

__all__ = ["CarryTrades", "carry_trades", "model_choices"]

HORIZONS = (48.0, 168.0)


@dataclass(frozen=True, eq=False)
class CarryTrades:
    """Judged trades of one hold: by the model, by a seeded draw, and the top by the raw edge.

    Signals of the bars from the day on, to a longest hold before the data's end; blocks of weeks that hold a trade.
    """

    hours: float
    model: pd.DataFrame
    random: pd.DataFrame
    top: pd.DataFrame
    n_bars: int
    block_hours: float


def carry_trades(
    data: Path, bars: pd.Series, *, settings: ScreenSettings, fit_until: pd.Timestamp, every: int, seed: int
) -> Iterator[CarryTrades]:
    """Yield the trades of each hold; none where spot was not recorded."""
    walked = recorded_carry(data, horizons=HORIZONS, settings=settings, every=every, until=None, say=print)
    for hours, rows in walked.items():
        held = replace(settings, horizon_hours=hours)
        stop = data_end(rows) - longest_hold(horizon_hours=hours, bar_hours=settings.bar_hours)
        judged = rows[(rows["signal_time"] >= fit_until) & (rows["signal_time"] < stop)]
        rng, weeks = np.random.default_rng(seed), math.ceil((hours + 24.0) / 168.0)
        drawn = best_of_bars(judged["signal_time"], rng.random(len(judged)), np.ones(len(judged), dtype=bool))
        chosen = model_choices(rows, judged, held, fit_until, block_hours=168.0 * weeks, seed=seed)
        n_bars = int(((bars >= fit_until) & (bars < stop)).sum())
        yield CarryTrades(hours, chosen, judged.iloc[drawn], judged[judged["is_top"]], n_bars, 168.0 * weeks)


def model_choices(
    rows: pd.DataFrame,
    judged: pd.DataFrame,
    settings: ScreenSettings,
    fit_until: pd.Timestamp,
    *,
    block_hours: float,
    seed: int,
) -> pd.DataFrame:
    """Return what the model that was fitted before the day takes of judged candidates; nothing where none is valid."""
    judged = judged.drop(columns="qualifies")  # the raw rule's
    try:
        model = EdgeModel.fit(
            rows, settings=settings, until=fit_until, block_hours=block_hours, rng=np.random.default_rng(seed)
        )
    except InputError as problem:
        print(f"no model, so it abstains: {problem}")
        return judged.iloc[:0]
    said = model.predict(judged, settings=settings, past=rows)
    best = best_of_bars(judged["signal_time"], said["mean_net_bps"].to_numpy(), said["qualifies"].to_numpy())
    return judged.iloc[best]
