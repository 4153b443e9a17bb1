"""Is abstaining earned? The same model on synthetic markets, whose true pairs are known.

``python benchmarks/abstention.py --rows FOLDER [--seeds 50]``: fitted on markets 1 to N (to 13 where N is less: a
market is a block, and a model needs 12 whole ones), judged on markets 101 to 100 + N with planted pairs, and on the
same with nothing planted; the last line is one JSON object. A market's first months are the history in which pairs
and market make their records, as a user's store is; its last eleven weeks are judged.
Minutes of work (6 s of processor a market), kept in the folder.
"""

import argparse
import sys
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pandas as pd
from scipy.special import ndtr

from benchmarks.oracle import true_net_bps
from benchmarks.walked import SYNTHETIC_COSTS, last_line, synthetic, truth
from hlpairs_core.edge import EdgeModel, calibration
from hlpairs_core.edge.choice import FEWEST_BLOCKS
from hlpairs_core.edge.holds import data_end, longest_hold, over_by
from hlpairs_core.screening import ScreenSettings

EVERY, SEED = 12, 1
JUDGED_FROM = pd.Timestamp("2025-06-15", tz="UTC")
# Markets are put one after the other in time to be fitted; each is one block, for its pairs live as long as it does.
MARKET = pd.Timedelta(days=243)
HALF_LIVES = (12.0, 24.0, 48.0, np.inf)
SETTINGS = ScreenSettings()
HOLD = longest_hold(horizon_hours=SETTINGS.horizon_hours, bar_hours=SETTINGS.bar_hours)


def main() -> None:
    """Walk, fit, judge, print."""
    parser = argparse.ArgumentParser(prog="abstention", description=__doc__)
    parser.add_argument("--rows", type=Path, required=True, help="folder that keeps the walk-forwards")
    parser.add_argument("--seeds", type=int, default=50, help="markets to judge; as many are fitted, at least 13")
    given = parser.parse_args()
    if given.seeds < 1:
        parser.error(f"--seeds is {given.seeds}: judge at least 1 market")
    model = _fitted(range(1, max(given.seeds, FEWEST_BLOCKS + 1) + 1), given.rows)
    print(model.report().T.to_string(header=False))
    numbers: dict[str, object] = {"seeds": given.seeds}
    for planted in (True, False):
        markets = [_judged(101 + k, planted, model, given.rows) for k in range(given.seeds)]
        name = "planted" if planted else "nothing_planted"
        numbers[name] = _account(pd.concat([m[0] for m in markets]), pd.concat([m[1] for m in markets]), name)
    print(last_line(numbers))


def _fitted(seeds: range, folder: Path) -> EdgeModel:
    tables = []
    for place, seed in enumerate(seeds):
        rows, _ = synthetic(seed, planted=True, every=EVERY, settings=SETTINGS, folder=folder)
        # Each market ends by itself: of its last signals only the early winners would have an exit.
        rows = rows[over_by(rows, data_end(rows), hold=HOLD)]
        legs = {leg: rows[leg].astype(str) + f" of {seed}" for leg in ("y", "x")}
        times = {
            name: rows[name].astype("datetime64[us, UTC]") + place * MARKET for name in ("signal_time", "exit_time")
        }
        tables.append(rows.assign(**legs, **times))
    return EdgeModel.fit(
        pd.concat(tables, ignore_index=True),
        settings=SETTINGS,
        block_hours=MARKET / pd.Timedelta(hours=1),
        rng=np.random.default_rng(SEED),
    )


def _judged(seed: int, planted: bool, model: EdgeModel, folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the judged candidates of a market that pass the screen's gates, and its judged bars."""
    rows, bars = synthetic(seed, planted=planted, every=EVERY, settings=SETTINGS, folder=folder)
    end = data_end(rows)
    known = (rows["exit_reason"] != "data end") & np.isfinite(rows["realised_net_bps"])
    over = rows[over_by(rows, end, hold=HOLD) & known].reset_index(drop=True)
    gated = (over["p_value"] < SETTINGS.p_max) & (over["zscore"].abs() >= SETTINGS.z_in)
    judged = over[gated & (over["signal_time"] >= JUDGED_FROM)].drop(columns="qualifies")
    judged = pd.concat([judged, model.predict(judged, settings=SETTINGS, past=over)], axis=1)
    bars = bars[(bars["signal_time"] >= JUDGED_FROM) & (bars["signal_time"] + HOLD <= end)]
    return _with_truth(judged, seed, planted).assign(market=seed), bars.assign(market=seed)


def _with_truth(rows: pd.DataFrame, seed: int, planted: bool) -> pd.DataFrame:
    """Add whether a candidate is a true pair that did not break within its window, its half-life and its true edge."""
    pairs = truth(seed, planted=planted)
    found = [pairs.get(frozenset(coins)) for coins in zip(rows["y"].astype(str), rows["x"].astype(str), strict=True)]
    window = pd.Timedelta(hours=SETTINGS.window)
    unbroken = [
        pair is not None and not _broke(pair.breaks_at(_ms(time)), _ms(time - window))
        for pair, time in zip(found, rows["signal_time"], strict=True)
    ]
    costs = (rows["expected_fee_bps"] + rows["expected_slippage_bps"]).to_numpy()
    net = [
        np.nan if pair is None else true_net_bps(pair, SETTINGS, cost) for pair, cost in zip(found, costs, strict=True)
    ]
    half_life = [np.nan if pair is None else pair.half_life_hours for pair in found]
    return rows.assign(true=[p is not None for p in found], unbroken=unbroken, half_life=half_life, true_net_bps=net)


def _broke(breaks: tuple[int, ...], since_ms: int) -> bool:
    return any(at >= since_ms for at in breaks)


def _ms(time: pd.Timestamp) -> int:
    return int(time.timestamp() * 1000)


def _account(rows: pd.DataFrame, bars: pd.DataFrame, name: str) -> dict[str, object]:
    n_bars = len(bars)
    best = rows[rows["qualifies"]].sort_values("mean_net_bps", ascending=False, kind="stable")
    top = best.drop_duplicates(["market", "signal_time"])
    raw = rows[rows["is_top"]]
    spoken = pd.MultiIndex.from_frame(top[["market", "signal_time"]])
    tradable = rows[rows["unbroken"] & (rows["true_net_bps"] > 0)]
    where = pd.MultiIndex.from_frame(tradable[["market", "signal_time"]].drop_duplicates())
    numbers: dict[str, object] = {
        "n_bars": n_bars,
        "abstained_share": 1 - len(top) / n_bars,
        "bars_with_a_tradable_candidate": len(where),
        "abstained_where_tradable": float(1 - where.isin(spoken).mean()) if len(where) else None,
        "top_true_share": _mean(top["true"]),
        "top_true_and_unbroken_share": _mean(top["unbroken"]),
        "raw_top_bars": len(raw),
        "raw_top_true_share": _mean(raw["true"]),
        "qualifying": _calibrated(rows[rows["qualifies"]], "mean_net_bps", 1 - len(top) / n_bars),
        "top": _calibrated(top, "mean_net_bps", 1 - len(top) / n_bars),
        "raw_top": _calibrated(raw, "expected_net_bps", 1 - len(raw) / n_bars),
        "power_by_half_life": _power(tradable, bars, planted=name == "planted"),
    }
    print(f"\n{name}")
    for label, value in numbers.items():
        print(f"  {label:32} {value}")
    return numbers


def _calibrated(rows: pd.DataFrame, expected: str, abstained: float) -> dict[str, float | int | None]:
    rows = rows[np.isfinite(rows[expected])]
    return calibration(
        rows[expected].to_numpy(dtype=np.float64),
        rows["realised_net_bps"].to_numpy(dtype=np.float64),
        blocks=rows["market"].to_numpy(dtype=np.int64),
        rng=np.random.default_rng(SEED),
        abstained_share=abstained,
    ).as_dict()


def _power(tradable: pd.DataFrame, bars: pd.DataFrame, *, planted: bool) -> dict[str, dict[str, float | int | None]]:
    """Return by half-life: signals by the truth (expected number), candidates of the screen, those that qualify.

    A signal by the truth: a bar at which a pair with a positive edge is beyond z_in of its true spread.
    """
    beyond, worth = (
        2.0 * float(ndtr(-SETTINGS.z_in)),
        SYNTHETIC_COSTS.round_trip_fee_bps + 2 * SYNTHETIC_COSTS.half_spread_bps,
    )
    pairs = [
        (pair.half_life_hours, beyond * n_bars)
        for market, n_bars in bars.groupby("market").size().items()
        for pair in truth(int(market), planted=planted).values()
        if true_net_bps(pair, SETTINGS, worth) > 0
    ]
    found: dict[str, dict[str, float | int | None]] = {}
    for low, high in zip((0.0, *HALF_LIVES[:-1]), HALF_LIVES, strict=True):
        part = tradable[(tradable["half_life"] > low) & (tradable["half_life"] <= high)]
        signals = sum(n for half_life, n in pairs if low < half_life <= high)
        found[f"up to {high:g} h"] = {
            "signals": round(signals),
            "seen": len(part),
            "qualify": int(part["qualifies"].sum()),
        }
    return found


def _mean(values: pd.Series) -> float | None:
    return float(values.mean()) if len(values) else None


if __name__ == "__main__":
    main()
