"""Did what was expected come true on recorded months that no fit has seen?

``python benchmarks/calibration.py --data FOLDER --fit-until 2025-02-15 [--judge-until DAY]``: a table, and as the last
line one JSON object. Trades signalled a longest hold before ``--fit-until`` are fitted; signals from then on are
judged, up to a longest hold before ``--judge-until`` or the data's end. Intervals are 90 %, from resampled weeks.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pandas as pd

from benchmarks.walked import last_line, recorded
from hlpairs_core.edge import Calibration, EdgeModel, calibration, time_blocks
from hlpairs_core.edge.holds import data_end, longest_hold, over_by
from hlpairs_core.exceptions import InputError
from hlpairs_core.screening import ScreenSettings

KINDS = ("perp_perp", "spot_perp")
BLOCK_HOURS, SEED = 168.0, 1


@dataclass(frozen=True)
class Judged:
    """Judged candidates with what was expected of them, the number of judged bars, and what fitted ones realised."""

    rows: pd.DataFrame
    n_bars: int
    reference_bps: float

    def of(self, rows: pd.DataFrame, expected: str) -> Calibration:
        """Compare a column of expected net edges with what came."""
        rows = rows[np.isfinite(rows[expected]) & np.isfinite(rows["realised_net_bps"])]
        blocks = time_blocks(rows["signal_time"], hours=BLOCK_HOURS) if len(rows) else np.empty(0, dtype=np.int64)
        spoken = rows["signal_time"].nunique()
        return calibration(
            rows[expected].to_numpy(dtype=np.float64),
            rows["realised_net_bps"].to_numpy(dtype=np.float64),
            blocks=blocks,
            rng=np.random.default_rng(SEED),
            abstained_share=max(0.0, 1.0 - spoken / self.n_bars) if self.n_bars else 1.0,
            reference_bps=self.reference_bps,
        )


def main() -> None:
    """Fit, judge, print."""
    parser = argparse.ArgumentParser(prog="calibration", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with candles_1h.parquet and funding.parquet")
    parser.add_argument(
        "--fit-until", required=True, help="day (UTC): only trades that must have ended by it are fitted"
    )
    parser.add_argument("--judge-until", help="day (UTC) after the last bar to look at; all of the data when left out")
    parser.add_argument("--every", type=int, default=6, help="bars from one signal bar to the next")
    parser.add_argument("--rows", type=Path, help="folder that keeps the walk-forward between runs")
    given = parser.parse_args()
    settings = ScreenSettings()
    fit_until = pd.Timestamp(given.fit_until, tz="UTC")
    until = None if given.judge_until is None else f"{pd.Timestamp(given.judge_until):%Y-%m-%d}T00:00Z"
    rows, bars = recorded(given.data, settings=settings, every=given.every, until=until, folder=given.rows, say=print)
    print(last_line(judge(rows, bars, settings=settings, fit_until=fit_until)))


def judge(
    rows: pd.DataFrame, bars: pd.DataFrame, *, settings: ScreenSettings, fit_until: pd.Timestamp
) -> dict[str, object]:
    """Return the calibration of each kind, of the top over all kinds and of the uncalibrated top, as plain dicts."""
    hold = longest_hold(horizon_hours=settings.horizon_hours, bar_hours=settings.bar_hours)
    end = data_end(rows)
    over = over_by(rows, end, hold=hold) & (rows["exit_reason"] != "data end") & np.isfinite(rows["realised_net_bps"])
    rows = rows[over].reset_index(drop=True)
    n_bars = int(((bars["signal_time"] >= fit_until) & (bars["signal_time"] + hold <= end)).sum())
    fitted = rows[over_by(rows, fit_until, hold=hold)]
    print(
        f"fitted: {len(fitted):,} trades that must have ended by {fit_until:%Y-%m-%d}; judged: {n_bars} signal bars "
        f"from then to {end - hold:%Y-%m-%d %H:%M}"
    )
    found, qualified = {}, []
    for kind in KINDS:
        judged = _judged(rows[rows["kind"] == kind], kind, settings, fit_until)
        account = Judged(judged, n_bars, float(fitted.loc[fitted["kind"] == kind, "realised_net_bps"].mean()))
        found[kind] = account.of(judged[judged["qualifies"]], "mean_net_bps")
        _show(f"{kind}, those that qualify", found[kind])
        if len(judged):
            _show(f"{kind}, all candidates", account.of(judged, "mean_net_bps"))
            _show(f"{kind}, all candidates, as the raw rule", account.of(judged, "expected_net_bps"))
        qualified.append(judged[judged["qualifies"]])
    account = Judged(rows, n_bars, float(fitted["realised_net_bps"].mean()))
    best = pd.concat(qualified).sort_values("mean_net_bps", ascending=False, kind="stable")
    found["top"] = account.of(best.drop_duplicates("signal_time"), "mean_net_bps")
    raw = rows[rows["is_top"] & (rows["signal_time"] >= fit_until)]
    found["raw_top"] = account.of(raw, "expected_net_bps")
    _show("top of each bar", found["top"])
    _show("top of each bar, as the raw rule", found["raw_top"])
    return {name: one.as_dict() for name, one in found.items()}


def _judged(rows: pd.DataFrame, kind: str, settings: ScreenSettings, fit_until: pd.Timestamp) -> pd.DataFrame:
    """Return candidates that pass the screen's gates with their predictions; none where there is no valid model."""
    gated = rows["signal_time"] >= fit_until
    if kind == "perp_perp":
        gated &= (rows["p_value"] < settings.p_max) & (rows["zscore"].abs() >= settings.z_in)
    judged = rows[gated].drop(columns="qualifies")  # the raw rule's
    if rows.empty:
        print(f"{kind}: no candidates, so it abstains")
        return judged.assign(mean_net_bps=0.0, qualifies=False)
    try:
        model = EdgeModel.fit(
            rows, settings=settings, until=fit_until, block_hours=BLOCK_HOURS, rng=np.random.default_rng(SEED)
        )
    except InputError as problem:
        print(f"{kind}: no model, so it abstains: {problem}")
        return judged.iloc[:0].assign(mean_net_bps=0.0, qualifies=False)
    print(model.report().T.to_string(header=False))
    return pd.concat([judged, model.predict(judged, settings=settings, past=rows)], axis=1)


def _show(name: str, found: Calibration) -> None:
    if found.n == 0:
        print(f"  {name:44} none: abstained at {found.abstained_share:.0%} of the bars")
        return
    print(
        f"  {name:44} n {found.n:,} (as {found.n_effective:,.0f}), slope {found.slope:.2f} [{found.slope_low:.2f}, "
        f"{found.slope_high:.2f}], expected {found.mean_expected_bps:.0f}, realised {found.mean_realised_bps:.0f} bps, "
        f"bias [{found.bias_low_bps:.0f}, {found.bias_high_bps:.0f}], skill {found.skill_vs_zero:.3f} on zero and "
        f"{found.skill_vs_mean:.3f} on the mean, abstained {found.abstained_share:.0%}"
    )


if __name__ == "__main__":
    main()
