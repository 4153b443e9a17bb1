"""Answers of the engine, made up for tests; the shape is that of `hlpairs_core.engine.payload`."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime(2026, 11, 20, 13, 45, 2, 250_000, tzinfo=UTC)


def iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def sparkline(last: float, *, points: int = 180, now: datetime = NOW) -> dict[str, Any]:
    """z that wanders to `last` over 15 minutes."""
    times = [now - timedelta(seconds=5 * (points - 1 - i)) for i in range(points)]
    wave = [0.22 * math.sin(i / 17) + 0.09 * math.sin(i / 4.1) + 0.0022 * i for i in range(points)]
    return {"t": [iso(t) for t in times], "z": [round(last - wave[-1] + w, 4) for w in wave]}


def row(y: str = "AAVE", x: str = "LINK", *, now: datetime = NOW, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "kind": "perp_perp", "y": y, "x": x, "spot_token": "", "spot_leg": "",
        "side_y": "short", "side_x": "long", "same_side": False, "beta": 0.9374,
        "zscore": 2.4137, "signal_zscore": 2.6121, "mark_state": "entry", "p_value": 0.00312, "q_value": 0.1874,
        "correlation": 0.8142, "half_life_hours": 6.42, "hold_hours": 9.4, "gross_bps": 51.3, "fee_bps": 9.0,
        "slippage_bps": 6.14, "slippage_source": "book", "funding_bps": 0.86, "funding_bps_per_hour": 0.0915,
        "net_edge_bps": 37.02, "net_edge_usd": 37.02, "signal_net_edge_bps": 41.2, "notional_usd": 10_000.0,
        "notional_y_usd": 5_161.6, "notional_x_usd": 4_838.4, "capacity_usd": 182_400.0, "qualifies": True,
        "misses": [], "believed": None, "margin_usd": 10_000.0, "capital_usd": 10_000.0,
        "liquidation_distance_y": 0.951, "liquidation_distance_x": -1.0, "break_even_z": 1.12,
        "largest_size_usd": 310_000.0, "maker_cost_bps": 1.2, "maker_unfilled": 0.07,
    }  # fmt: skip
    made.update(changes)
    made.setdefault("sparkline", sparkline(made["zscore"] or 0.0, now=now))
    return made


def believed(**changes: Any) -> dict[str, Any]:
    """What a model says of the pair of `row`: a half of its reversion arrives, and none of its funding."""
    return {
        "mean_net_bps": 10.51, "lower_net_bps": 3.4, "mean_net_usd": 10.51, "signal_mean_net_bps": 12.6,
        "signal_lower_net_bps": 5.5, "low_net_bps": -48.2, "high_net_bps": 66.1, "gain_probability": 0.631,
        "deviation_bps": 36.4, "worst_net_bps": -71.9, "gross_share": 0.5, "funding_share": 0.0,
    } | changes  # fmt: skip


_OTHERS = (
    ("UNI", "COMP", 2.31, 18.4, 0.0121, 8.1, "p = 0.012 does not survive the correction for 13,203 tests"),
    ("SOL", "AVAX", -2.08, 11.9, 0.0187, 12.6, "net edge below the 15 bps floor"),
    ("kPEPE", "WIF", 2.92, 9.7, 0.0093, 4.4, "capacity $2,100 is below the $10,000 asked for"),
    ("ARB", "OP", -1.74, 6.2, 0.0034, 10.2, "|z| = 1.74 is inside the entry of 2.0"),
    ("LDO", "RPL", 2.11, 3.4, 0.0271, 21.7, "half-life leaves too little of the 24 h horizon"),
    ("DOGE", "SHIB", -2.44, 1.2, 0.0415, 17.0, "funding eats 14 bps over the hold"),
    ("NEAR", "APT", 2.03, -2.9, 0.0332, 15.3, "net edge is negative after costs"),
    ("TIA", "SEI", -2.27, -4.4, 0.0288, 19.9, "net edge is negative after costs"),
    ("INJ", "ATOM", 2.19, -7.1, 0.0466, 26.8, "net edge is negative after costs"),
    ("MKR", "SNX", -2.01, -9.8, 0.0489, 31.5, "net edge is negative after costs"),
)


def track_record() -> dict[str, Any]:
    """A hundred bars with a model, and as many of the raw rule."""

    def rule(said: int, expected: float, realised: float, worst: float) -> dict[str, Any]:
        outcomes = {
            "n": 12, "mean_expected_bps": expected, "mean_realised_bps": realised, "worst_realised_bps": worst,
            "gain_share": 0.58,
        }  # fmt: skip
        return {
            "bars": 100, "abstained": 100 - said, "said": said, "open": 3, "marked": said - 3, "unknown": 0, "early": 1,
            "every": {**outcomes, "n": said - 4}, "trades": outcomes, "weeks": 1, "slope": None, "slope_low": None,
            "slope_high": None, "first_closed_at": "2026-11-16T10:00:00.000Z",
        }  # fmt: skip

    return {
        "as_of": "2026-11-20T13:00:00.000Z",
        "calibrated": rule(31, 22.4, 19.8, -61.5),
        "raw": rule(97, 412.5, -8.1, -944.0),
    }


def carry(now: datetime = NOW) -> list[dict[str, Any]]:
    """Spot against the perpetual of its coin, both directions."""
    long = row(
        "@142", "BTC", now=now, kind="spot_perp", spot_token="UBTC", spot_leg="y", side_y="long", side_x="short",
        beta=1.0, zscore=None, signal_zscore=None, p_value=None, q_value=None, correlation=None, half_life_hours=None,
        mark_state="held", hold_hours=48.0, gross_bps=0.0, fee_bps=11.5, slippage_bps=2.1, funding_bps=9.3,
        net_edge_bps=-4.3, net_edge_usd=-4.3, signal_net_edge_bps=-4.3, qualifies=False, margin_usd=5_000.0,
        liquidation_distance_y=None, liquidation_distance_x=0.975, break_even_z=None, largest_size_usd=None,
        maker_cost_bps=None, maker_unfilled=None, sparkline={"t": [], "z": []},
        misses=["fees 11.5 + slippage 2.1 bps exceed the expected funding 9.3 bps"],
    )  # fmt: skip
    short = {
        **long, "y": "BTC", "x": "@142", "spot_leg": "x", "funding_bps": -9.3, "net_edge_bps": -22.9,
        "liquidation_distance_y": -1.0, "liquidation_distance_x": None,
        "misses": ["spot cannot be sold short: there is nowhere to borrow it"],
    }  # fmt: skip
    return [long, short]


def runners_up(now: datetime = NOW) -> list[dict[str, Any]]:
    made = []
    for y, x, z, net, p, half_life, why in _OTHERS:
        sides = {"side_y": "short", "side_x": "long"} if z > 0 else {"side_y": "long", "side_x": "short"}
        made.append(
            row(
                y,
                x,
                now=now,
                **sides,
                zscore=z,
                signal_zscore=z * 1.04,
                p_value=p,
                q_value=min(1.0, p * 60),
                half_life_hours=half_life,
                hold_hours=half_life * 1.4,
                net_edge_bps=net,
                net_edge_usd=net,
                gross_bps=net + 15.2,
                signal_net_edge_bps=net + 1.1,
                qualifies=False,
                misses=[why],
                slippage_source="model",
                mark_state="entry" if abs(z) >= 2 else "faded",
            )
        )
    return made


def payload(*, now: datetime = NOW, **changes: Any) -> dict[str, Any]:
    """A payload in which AAVE / LINK qualifies."""
    top = changes.pop("top", row(now=now))
    made: dict[str, Any] = {
        "baseA": None, "baseB": None, "sideA": None, "sideB": None, "beta": None, "zscore": None,
        "expected_edge_bps": None, "funding_bps_h": None, "fee_bps": None, "slippage_bps": None,
        "spreadSparkline": [], "updated_at": iso(now), "phase": "ready", "message_age_seconds": 0.21,
        "market": {
            "kind": "live", "label": "LIVE", "name": "mainnet", "address": "https://api.hyperliquid.xyz",
            "speed": 1.0, "time": iso(now), "fallback": None,
        },
        "bar": {
            "interval": "1h", "time": iso(now.replace(hour=12, minute=0, second=0, microsecond=0)),
            "closed_at": iso(now.replace(hour=13, minute=0, second=0, microsecond=0)), "age_seconds": 2702.0,
            "refit_seconds": 3.2, "coins": 163, "pairs": 13_203,
        },
        "verdict": {
            "qualifies": True, "calibrated": False,
            "text": "AAVE / LINK qualifies: its spread is 2.6 standard deviations out and the expected reversion "
            "pays for fees, slippage and funding.",
        },
        "top": top, "nearest_miss": None, "runners_up": runners_up(now), "carry": carry(now),
        "edge_model": {
            "stage": "fitted", "text": "Calibrated on 3,204 trades that were over by 2026-11-18.",
            "done": 0, "total": 0, "fitted_at": "2026-11-20T12:00:00.000Z",
            "history": [
                {
                    "kind": "perp_perp", "form": "tight, record", "trades": 3_204, "choices": 214, "arrived": 0.91,
                    "arrived_error": 0.08,
                },
            ],
        },
        "track_record": track_record(),
        "luck": {"t_stat": -5.88, "chance": 0.391, "screens": 500},
        "funnel": {
            "coins_listed": 187, "coins_eligible": 163, "pairs": 13_203, "pairs_dependent": 4_118,
            "pairs_cointegrated": 640, "expected_by_luck": 660.15, "pairs_at_entry": 41,
            "pairs_positive_edge": 9, "pairs_qualifying": 1, "carry_pairs": 1, "carry_qualifying": 0,
        },
        "loading": None, "problems": [],
        "settings": {
            "window": 336, "horizon_hours": 24.0, "z_in": 2.0, "z_out": 0.5, "p_max": 0.05,
            "notional_usd": 10_000.0, "taker_fee_bps": 4.5,
        },
    }  # fmt: skip
    made.update(changes)
    return made


def none_qualifies(now: datetime = NOW) -> dict[str, Any]:
    miss = row(
        now=now, qualifies=False, net_edge_bps=8.31, net_edge_usd=8.31, gross_bps=22.6, zscore=1.6231,
        mark_state="faded",
        misses=["q = 0.187 is above 0.05: among 13,203 pairs, 660 look this good by luck alone",
                "net edge +8.3 bps is below the floor of 15 bps"],
    )  # fmt: skip
    made = payload(now=now, top=None, nearest_miss=miss)
    made["verdict"] = {
        "qualifies": False, "calibrated": False,
        "text": "Of 13,203 pairs tested, 640 pass the cointegration test; 660 would by luck alone.",
    }  # fmt: skip
    made["funnel"]["pairs_qualifying"] = 0
    return made


def loading(now: datetime = NOW) -> dict[str, Any]:
    made = payload(
        now=now, top=None, phase="loading", bar=None, funnel=None, luck=None, runners_up=[], carry=[], updated_at=None
    )
    made["message_age_seconds"] = None
    made["loading"] = {"stage": "candles", "done": 142, "total": 187, "text": "142 of 187 coins"}
    made["verdict"] = {"qualifies": False, "text": "Fetching two weeks of hourly candles.", "calibrated": False}
    return made
