"""The forward record, for a program and for a terminal."""

import math

import pandas as pd

from hlpairs_core.edge.scoreboard import Outcomes, Score, Scoreboard
from hlpairs_core.engine.track_record import OutcomesSaid, RuleRecord, TrackRecord
from hlpairs_core.wording import printable

__all__ = ["scorecard_text", "track_record"]


def track_record(board: Scoreboard) -> TrackRecord:
    """Return a scoreboard as plain JSON values."""
    return {"as_of": _iso(board.as_of), "calibrated": _of_rule(board.calibrated), "raw": _of_rule(board.raw)}


def _of_rule(score: Score) -> RuleRecord:
    return {
        "bars": score.bars,
        "abstained": score.abstained,
        "said": score.said,
        "open": score.open,
        "marked": score.marked,
        "unknown": score.unknown,
        "early": score.early,
        "every": _outcomes(score.every),
        "trades": _outcomes(score.trades),
        "weeks": score.blocks,
        "slope": _number(score.slope),
        "slope_low": _number(score.slope_low),
        "slope_high": _number(score.slope_high),
        "first_closed_at": _iso(score.first),
    }


def _outcomes(of: Outcomes) -> OutcomesSaid:
    realised = of.realised_bps
    return {
        "n": of.n,
        "mean_expected_bps": _number(of.mean_expected_bps),
        "mean_realised_bps": None if realised is None else realised.mean,
        "worst_realised_bps": None if realised is None else realised.worst_mean,
        "gain_share": _number(of.gain_share),
    }


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _iso(time: pd.Timestamp | None) -> str | None:
    return None if time is None else time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def scorecard_text(board: Scoreboard, newest: pd.DataFrame) -> str:
    """Return a scoreboard, and the newest rows of `read_scorecard`, as lines for a terminal."""
    if board.as_of is None:
        return "nothing was said of a closed bar since then"
    scores = {"calibrated answers": board.calibrated, "raw rule": board.raw}
    table = pd.DataFrame({name: _lines(score) for name, score in scores.items()})
    return "\n".join(
        [
            f"As of the bar that closed at {board.as_of:%Y-%m-%d %H:%M}",
            table.to_string(),
            "Times UTC; net, in bps of gross notional. Means and slope: of bars whose longest hold is over.",
            "Bars that name the same pair one after the other overlap: they are no independent trades.",
            "",
            _newest(newest),
        ]
    )


def _lines(score: Score) -> dict[str, str]:
    slope = "fewer than 12 weeks" if math.isnan(score.slope) else f"{score.slope:.2f}"
    interval = "" if math.isnan(score.slope_low) else f" [{score.slope_low:.2f}, {score.slope_high:.2f}]"
    return {
        "first bar": "-" if score.first is None else f"{score.first:%Y-%m-%d %H:%M}",
        "bars": f"{score.bars:,}",
        "none qualified": f"{score.abstained:,}",
        "named a pair": f"{score.said:,}",
        "open / marked / unknown": f"{score.open:,} / {score.marked:,} / {score.unknown:,}",
        "marked before the longest hold is over": f"{score.early:,}",
        **_outcome_lines("overlapping bars", score.every),
        "slope of realised on expected": slope + interval,
        **_outcome_lines("trades apart", score.trades),
    }


def _outcome_lines(name: str, of: Outcomes) -> dict[str, str]:
    if of.realised_bps is None:
        return {f"{name}": "0", f"{name}: expected": "-", f"{name}: realised": "-", f"{name}: gains": "-"}
    return {
        f"{name}": f"{of.n:,}",
        f"{name}: expected": f"{of.mean_expected_bps:+.1f}",
        f"{name}: realised": f"{of.realised_bps}",
        f"{name}: gains": f"{100 * of.gain_share:.0f} %",
    }


def _newest(rows: pd.DataFrame) -> str:
    expected = rows["mean_net_bps"].where((rows["rule"] == "answer") & rows["calibrated"], rows["raw_net_bps"])
    named = rows["qualifies"]
    table = pd.DataFrame(
        {
            "closed at": rows["closed_at"].dt.strftime("%Y-%m-%d %H:%M"),
            "rule": rows["rule"].where((rows["rule"] != "answer") | rows["calibrated"], "answer (raw)"),
            "pair": [_pair(row) for row in rows.to_dict("records")],
            "expected": expected.map("{:+.1f}".format).where(named, "-"),
            "realised": rows["realised_net_bps"].map("{:+.1f}".format).where(rows["realised_net_bps"].notna(), "-"),
            "exit": rows["exit_time"].dt.strftime("%Y-%m-%d %H:%M").fillna("-"),
            "how": [_how(row) for row in rows.to_dict("records")],
        }
    )
    return str(table.to_string(index=False))


def _pair(row: dict[str, object]) -> str:
    if not row["qualifies"]:
        return "none"
    return printable(f"{row['side_y']} {row['y']} / {row['side_x']} {row['x']}")


def _how(row: dict[str, object]) -> str:
    if not row["qualifies"]:
        return ""
    if pd.isna(row["marked_at"]):
        return "open"
    return f"unknown: {row['unknown']}" if row["unknown"] else str(row["exit_reason"])
