"""The funding that several exchanges are about to pay, made comparable."""

import math

import numpy as np
import pandas as pd

from hlpairs_core.exceptions import MalformedPayload
from hlpairs_core.exchange.fields import Record, as_list, is_coin_name

__all__ = ["parse_predicted_fundings"]

_OWN = "HlPerp"
_LONGEST_INTERVAL = 24 * 31


def parse_predicted_fundings(request: str, value: object) -> pd.DataFrame:
    """Read a ``predictedFundings`` answer; see `HyperliquidClient.predicted_fundings` for the columns.

    Raises
    ------
    MalformedPayload
        If a field is missing or unfit, or a venue is given twice for a coin.
    """
    rows: dict[tuple[str, str], tuple[float, float, int | None]] = {}
    for position, pair in enumerate(as_list(request, "the top", value)):
        coin, venues = as_list(request, f"[{position}]", pair, length=2)
        path = f"[{position}][1]"
        for number, element in enumerate(as_list(request, path, venues)):
            venue, funding = as_list(request, f"{path}[{number}]", element, length=2)
            key = (_name(request, f"[{position}][0]", coin), _name(request, f"{path}[{number}][0]", venue))
            if key in rows:
                raise MalformedPayload(request, f"{path}[{number}]", f"{key[1]!r} is given twice for {key[0]!r}")
            rows[key] = _funding(request, f"{path}[{number}][1]", key[1], funding)
    frame = pd.DataFrame(list(rows), columns=["coin", "venue"], dtype=str)
    numbers = np.array([row[:2] for row in rows.values()], dtype=np.float64).reshape(-1, 2)
    frame["funding_rate"], frame["interval_hours"] = numbers[:, 0], numbers[:, 1]
    frame["next_time"] = pd.to_datetime(
        pd.Series([row[2] for row in rows.values()], dtype="Int64"), unit="ms", utc=True
    ).astype("datetime64[ms, UTC]")
    return frame


def _name(request: str, path: str, value: object) -> str:
    if not isinstance(value, str) or not is_coin_name(value):
        raise MalformedPayload(request, path, f"expected a name, got {value!r:.80}")
    return value


def _funding(request: str, path: str, venue: str, value: object) -> tuple[float, float, int | None]:
    """Return the rate per hour, the interval (hours) and the next time; unknown where the venue has none."""
    if value is None:
        return math.nan, math.nan, None
    record = Record(request, path, value)
    hours = math.nan
    if record.raw_or("fundingIntervalHours", None) is not None:
        hours = float(record.integer("fundingIntervalHours", least=1, most=_LONGEST_INTERVAL))
    elif venue == _OWN:
        hours = 1.0
    return record.decimal("fundingRate") / hours, hours, record.time_ms("nextFundingTime")
