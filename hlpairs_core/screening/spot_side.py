"""Spot against perpetuals as candidates of the same screen: judged, and in the columns of all others."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray
from hlpairs_core.costs import CostModel
from hlpairs_core.exchange.book import OrderBook
from hlpairs_core.market import MarketState, Panel
from hlpairs_core.market.spot_names import SpotMatch
from hlpairs_core.screening.candidate import CANDIDATE_COLUMNS
from hlpairs_core.screening.carry import CARRY_FEATURES, carry_signals, screen_carry
from hlpairs_core.screening.carry_gates import CARRY_GATES, CarryAccount
from hlpairs_core.screening.forecast import EdgeForecast, forecast_columns
from hlpairs_core.screening.gates import doubt
from hlpairs_core.screening.settings import ScreenSettings
from hlpairs_core.screening.signals import SIGNALS
from hlpairs_core.screening.universe import listed_coins

__all__ = ["JudgedCarry", "SpotMarket", "judge_carry"]

_RENAMED = {
    "fee_bps": "expected_fee_bps",
    "slippage_bps": "expected_slippage_bps",
    "gross_bps": "expected_gross_bps",
    "funding_bps": "expected_funding_bps",
    "net_edge_bps": "expected_net_bps",
    "hold_hours": "expected_hold_hours",
}
_LEGS = (
    ("side_y", "side_x"),
    ("notional_y_usd", "notional_x_usd"),
    ("liquidation_distance_y", "liquidation_distance_x"),
    ("y", "x"),
)
_UNKNOWN = ("maker_cost_bps", "maker_unfilled", "break_even_z", "largest_size_usd")


@dataclass(frozen=True, eq=False)
class SpotMarket:
    """What a screen needs to hold spot against the perpetuals of the same coins.

    Attributes
    ----------
    panel : Panel
        Closed bars of spot pairs; the columns are the matches' ``coin``.
    matches : tuple of SpotMatch
        As of `match_spot`.
    account : CarryAccount
        What the account may do: by default spot is not sold short and does not margin the perpetual.
    """

    panel: Panel
    matches: tuple[SpotMatch, ...]
    account: CarryAccount = CarryAccount()  # noqa: RUF009 (frozen)


@dataclass(frozen=True, eq=False)
class JudgedCarry:
    """Both directions of every matched pair.

    Attributes
    ----------
    candidates : DataFrame
        The columns of `Candidate`.
    signals : DataFrame
        Those that can be traded and are to receive funding: the columns of `SIGNALS`, and `CARRY_FEATURES`.
    tradable : ndarray of bool
        Whether the history can be relied on and the sides can be taken, by row of `candidates`.
    """

    candidates: pd.DataFrame
    signals: pd.DataFrame
    tradable: BoolArray


def judge_carry(
    panel: Panel,
    spot: SpotMarket,
    *,
    settings: ScreenSettings,
    costs: CostModel,
    market: MarketState | None,
    edge: EdgeForecast | None,
) -> JudgedCarry | None:
    """Hold matched spot pairs to their gates; None where no pair is in both panels and its perpetual listed."""
    perps = set(panel.coins) if market is None else listed_coins(market).intersection(panel.coins)
    matches = [one for one in spot.matches if one.coin in spot.panel.coins and one.perp in perps]
    if not matches:
        return None
    books: Mapping[str, OrderBook] = {} if market is None else market.books
    account = spot.account
    if market is not None:
        account = replace(account, max_leverage=market.contexts["max_leverage"].dropna().to_dict())
    table = screen_carry(panel, spot.panel, matches, settings=settings, costs=costs, account=account, books=books)
    rows = carry_signals(table)
    asked = table.index.isin(rows.index)
    said = None if edge is None else edge.predict(rows, settings=settings)
    table = table.assign(**forecast_columns(said, asked), calibrated=asked & (edge is not None))
    if edge is not None:
        table = _believed(table)
    sound = np.array([not {"history", "borrow"}.intersection(failed) for failed in table["gates_failed"]], dtype=bool)
    candidates = _as_candidates(table, {one.coin: one.token for one in matches}, books)
    return JudgedCarry(candidates, rows[[*SIGNALS, *CARRY_FEATURES]], sound)


def _believed(table: pd.DataFrame) -> pd.DataFrame:
    """Judge the edge of those that the model was asked about by what it says."""
    verdicts = []
    for row in table.to_dict("records"):
        said = dict(zip(row["gates_failed"], row["misses"], strict=True))
        if row["calibrated"]:
            said.pop("edge", None)
            if not row["lower_net_bps"] > 0:
                arrives = f"{row['funding_share']:.0%} of the projected funding is expected to arrive"
                said["edge"] = doubt(row["mean_net_bps"], row["lower_net_bps"], arrives)
        verdicts.append(tuple((name, said[name]) for name in CARRY_GATES if name in said))
    return table.assign(
        gates_failed=pd.Series([tuple(name for name, _ in one) for one in verdicts], dtype=object),
        misses=pd.Series([tuple(text for _, text in one) for one in verdicts], dtype=object),
        qualifies=np.array([not one for one in verdicts], dtype=bool),
    )


def _as_candidates(table: pd.DataFrame, tokens: Mapping[str, str], books: Mapping[str, OrderBook]) -> pd.DataFrame:
    """Return the columns of `Candidate`; what only a test of cointegration has stays unknown."""
    from_book = [y in books and x in books for y, x in zip(table["y"], table["x"], strict=True)]
    words = [str(one) for one in np.select([table["funding_x_per_hour"].isna(), table["funding_assumed"]],
                                           ["unknown", "assumed"], default="panel")]  # fmt: skip
    short = (table["side_y"] == "short").to_numpy()
    weight = table["notional_x_usd"] / (table["notional_y_usd"] + table["notional_x_usd"])
    made = table.assign(
        **{ours: table[theirs] for ours, theirs in _RENAMED.items()},
        **dict.fromkeys(_UNKNOWN, np.nan),
        kind="spot_perp",
        spot_token=[tokens[y] for y in table["y"]],
        side_y=table["side_y"].astype(object),
        side_x=table["side_x"].astype(object),
        same_side=False,
        mean=0.0,
        lag=pd.array([pd.NA] * len(table), dtype="Int64"),
        slippage_source=np.where(from_book, "book", "model").astype(object),
        funding_source=pd.Series(words, dtype=object),
        funding_bps_per_hour=np.where(short, -1e4, 1e4) * weight * table["funding_x_per_hour"],
    )
    made["spot_leg"] = np.where(short, "x", "y").astype(object)
    # y is the long leg: each direction has a name of its own.
    for one, other in _LEGS:
        made[one], made[other] = made[one].where(~short, made[other]), made[other].where(~short, made[one])
    return made[list(CANDIDATE_COLUMNS)]
