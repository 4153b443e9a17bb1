"""The fee schedule, and what an account that never traded pays."""

from typing import Any

import numpy as np

from hlpairs_core.simulation.view import MarketView
from hlpairs_core.simulation.wire import number

__all__ = ["user_fees"]

_DAY_MS = 86_400_000
_DAYS = 15
_BASE = {"cross": "0.00045", "add": "0.00015", "spotCross": "0.0007", "spotAdd": "0.0004"}

# From this 14-day volume on (USD): taker and maker of perpetuals, taker and maker of spot pairs.
_VIP = (
    ("5000000.0", "0.0004", "0.00012", "0.0006", "0.0003"),
    ("25000000.0", "0.00035", "0.00008", "0.0005", "0.0002"),
    ("100000000.0", "0.0003", "0.00004", "0.0004", "0.0001"),
    ("500000000.0", "0.00028", "0.0", "0.00035", "0.0"),
    ("2000000000.0", "0.00026", "0.0", "0.0003", "0.0"),
    ("7000000000.0", "0.00024", "0.0", "0.00025", "0.0"),
)
_MARKET_MAKERS = (("0.005", "-0.00001"), ("0.015", "-0.00002"), ("0.03", "-0.00003"))
# Of the largest supply of HYPE, a billion: 10, 100, 1,000, 10,000, 100,000 and 500,000.
_STAKERS = (
    ("0.0", "0.0"),
    ("0.0001", "0.05"),
    ("0.001", "0.1"),
    ("0.01", "0.15"),
    ("0.1", "0.2"),
    ("1.0", "0.3"),
    ("5.0", "0.4"),
)


def user_fees(view: MarketView) -> dict[str, Any]:
    """Return the answer to ``userFees``: the base rates; the exchange's volume by day is the market's own."""
    return {
        "dailyUserVlm": [
            {"date": date, "userCross": "0.0", "userAdd": "0.0", "exchange": volume}
            for date, volume in _daily_volume(view)
        ],
        "feeSchedule": _BASE
        | {
            "tiers": {
                "vip": [dict(zip(("ntlCutoff", *_BASE), tier, strict=True)) for tier in _VIP],
                "mm": [{"makerFractionCutoff": cutoff, "add": add} for cutoff, add in _MARKET_MAKERS],
            },
            "referralDiscount": "0.04",
            "stakingDiscountTiers": [{"bpsOfMaxSupply": bps, "discount": discount} for bps, discount in _STAKERS],
        },
        "userCrossRate": _BASE["cross"],
        "userAddRate": _BASE["add"],
        "userSpotCrossRate": _BASE["spotCross"],
        "userSpotAddRate": _BASE["spotAdd"],
        "activeReferralDiscount": "0.0",
        "trial": None,
        "feeTrialReward": "0.0",
        "nextTrialAvailableTimestamp": None,
        "stakingLink": None,
        "activeStakingDiscount": {"bpsOfMaxSupply": "0.0", "discount": "0.0"},
    }


def _daily_volume(view: MarketView) -> list[tuple[str, str]]:
    """Notional traded on each of the last days, today included as far as it got; (date, USD)."""
    today = view.time_ms // _DAY_MS
    bars = view.bars
    rows = slice(max(0, bars.index((today - _DAYS + 1) * _DAY_MS)), view.bar)
    notional = np.nansum(bars.volume[rows] * bars.close[rows], axis=1)
    running = float(np.nansum(view.traded * view.price))
    opened = bars.start_ms + np.arange(rows.start, view.bar + 1) * bars.interval_ms
    days = np.arange(today - _DAYS + 1, today + 1)
    sums = [float(np.append(notional, running)[opened // _DAY_MS == day].sum()) for day in days]
    return [(str(np.datetime64(int(day), "D")), number(round(usd, 2))) for day, usd in zip(days, sums, strict=True)]
