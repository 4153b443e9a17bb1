"""Did what was expected come true on recorded months that no fit has seen?

``python benchmarks/calibration.py --data FOLDER --fit-until 2025-02-15 [--judge-until DAY]``: a table, and as the last
line one JSON object. Trades signalled a longest hold before ``--fit-until`` are fitted; signals from then on are
judged, up to a longest hold before ``--judge-until`` or the data's end. Intervals are 90 %, from resampled weeks (of
longer holds, as many weeks as hold one).

Both kinds of pair are held for the settings' horizon, so that the top of both is one choice. Spot against perp, whose
costs take longer to earn, is told for other horizons too; those are no part of the JSON.
"""

import argparse
import math
import sys
from dataclasses import dataclass, replace
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pandas as pd

from benchmarks.walked import last_line, recorded, recorded_carry
from hlpairs_core.edge import Calibration, EdgeModel, calibration, time_blocks
from hlpairs_core.edge.holds import data_end, longest_hold, over_by
from hlpairs_core.exceptions import InputError
from hlpairs_core.screening import ScreenSettings

KINDS = ("perp_perp", "spot_perp")
SEED = 1
CARRY_HORIZONS = (72.0, 168.0, 336.0)


@dataclass(frozen=True)
class Judged:
    """Judged candidates with what was expected of them, the number of judged bars, and what fitted ones realised."""

    rows: pd.DataFrame
    n_bars: int
    reference_bps: float
    block_hours: float

    def of(self, rows: pd.DataFrame, expected: str) -> Calibration:
        """Compare a column of expected net edges with what came."""
        rows = rows[np.isfinite(rows[expected]) & np.isfinite(rows["realised_net_bps"])]
        blocks = time_blocks(rows["signal_time"], hours=self.block_hours) if len(rows) else np.empty(0, dtype=np.int64)
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
    same = {"settings": settings, "every": given.every, "until": until, "say": print}
    rows, bars = recorded(given.data, folder=given.rows, **same)
    carried = recorded_carry(given.data, horizons=(settings.horizon_hours, *CARRY_HORIZONS), **same)
    both = pd.concat([rows, *(carried[hours] for hours in (settings.horizon_hours,) if hours in carried)])
    found = judge(both, bars, settings=settings, fit_until=fit_until)
    for hours in CARRY_HORIZONS:
        if hours in carried:
            print(f"spot_perp over {hours:g} hours:")
            held = replace(settings, horizon_hours=hours)
            judge_kind("spot_perp", span_of(carried[hours], bars, settings=held, fit_until=fit_until))
    print(last_line(found))


@dataclass(frozen=True)
class Span:
    """Trades that are over whatever became of them, and what of them is fitted and judged."""

    rows: pd.DataFrame
    n_bars: int
    settings: ScreenSettings
    fit_until: pd.Timestamp
    hold: pd.Timedelta

    @property
    def block_hours(self) -> float:
        """Whole weeks that hold a trade and a day of waiting to enter."""
        return 168.0 * math.ceil((self.settings.horizon_hours + 24.0) / 168.0)

    def of(self, kind: str) -> pd.DataFrame:
        """Return the trades of one kind of pair."""
        return self.rows[self.rows["kind"] == kind]

    def account(self, kind: str | None, judged: pd.DataFrame) -> Judged:
        """Return judged trades beside what the fitted ones, of a kind or of all, realised."""
        fitted = self.rows if kind is None else self.of(kind)
        fitted = fitted[over_by(fitted, self.fit_until, hold=self.hold)]
        return Judged(judged, self.n_bars, float(fitted["realised_net_bps"].mean()), self.block_hours)


def span_of(rows: pd.DataFrame, bars: pd.DataFrame, *, settings: ScreenSettings, fit_until: pd.Timestamp) -> Span:
    """Leave out what is not over, and count the judged bars."""
    hold = longest_hold(horizon_hours=settings.horizon_hours, bar_hours=settings.bar_hours)
    end = data_end(rows)
    over = over_by(rows, end, hold=hold) & (rows["exit_reason"] != "data end") & np.isfinite(rows["realised_net_bps"])
    rows = rows[over].reset_index(drop=True)
    n_bars = int(((bars["signal_time"] >= fit_until) & (bars["signal_time"] + hold <= end)).sum())
    n_fitted = int(over_by(rows, fit_until, hold=hold).sum())
    print(
        f"fitted: {n_fitted:,} trades that must have ended by {fit_until:%Y-%m-%d}; judged: {n_bars} signal bars "
        f"from then to {end - hold:%Y-%m-%d %H:%M}"
    )
    return Span(rows, n_bars, settings, fit_until, hold)


def judge(
    rows: pd.DataFrame, bars: pd.DataFrame, *, settings: ScreenSettings, fit_until: pd.Timestamp
) -> dict[str, object]:
    """Return the calibration of each kind, of the top over all kinds and of the uncalibrated top, as plain dicts."""
    span = span_of(rows, bars, settings=settings, fit_until=fit_until)
    found, qualified = {}, []
    for kind in KINDS:
        found[kind], judged = judge_kind(kind, span)
        qualified.append(judged[judged["qualifies"]])
    account = span.account(None, span.rows)
    best = pd.concat(qualified).sort_values("mean_net_bps", ascending=False, kind="stable")
    found["top"] = account.of(best.drop_duplicates("signal_time"), "mean_net_bps")
    raw = span.rows[span.rows["is_top"] & (span.rows["signal_time"] >= fit_until)]
    raw = raw.sort_values("expected_net_bps", ascending=False, kind="stable").drop_duplicates("signal_time")
    found["raw_top"] = account.of(raw.sort_values("signal_time", kind="stable"), "expected_net_bps")
    _show("top of each bar", found["top"])
    _show("top of each bar, as the raw rule", found["raw_top"])
    return {name: one.as_dict() for name, one in found.items()}


def judge_kind(kind: str, span: Span) -> tuple[Calibration, pd.DataFrame]:
    """Fit and judge one kind; return the calibration of those that qualify, and all that were judged."""
    judged = _judged(kind, span)
    account = span.account(kind, judged)
    found = account.of(judged[judged["qualifies"]], "mean_net_bps")
    _show(f"{kind}, those that qualify", found)
    if len(judged):
        _show(f"{kind}, all candidates", account.of(judged, "mean_net_bps"))
        _show(f"{kind}, all candidates, as the raw rule", account.of(judged, "expected_net_bps"))
    return found, judged


def _judged(kind: str, span: Span) -> pd.DataFrame:
    """Return candidates that pass the screen's gates with their predictions; none where there is no valid model."""
    rows, settings, fit_until = span.of(kind), span.settings, span.fit_until
    gated = rows["signal_time"] >= fit_until
    if kind == "perp_perp":
        gated &= (rows["p_value"] < settings.p_max) & (rows["zscore"].abs() >= settings.z_in)
    judged = rows[gated].drop(columns="qualifies")  # the raw rule's
    if rows.empty:
        print(f"{kind}: no candidates, so it abstains")
        return judged.assign(mean_net_bps=0.0, qualifies=False)
    try:
        model = EdgeModel.fit(
            rows, settings=settings, until=fit_until, block_hours=span.block_hours, rng=np.random.default_rng(SEED)
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
