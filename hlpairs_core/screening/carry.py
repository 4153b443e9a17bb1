"""Spot against the perpetual of the same coin ("carry"): what a trade held to the horizon is expected to earn.

The income is the funding of the perpetual. The basis of candles is **not** income: it is mostly two last trades at
different moments of the bar (on recorded pairs hourly changes of it have an autocorrelation of about -0.47), and what
of it looks like a profit at the entry did not arrive.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray, FloatArray
from hlpairs_core.costs import CostModel
from hlpairs_core.exceptions import InputError
from hlpairs_core.exchange.book import OrderBook
from hlpairs_core.market import Panel
from hlpairs_core.market.joined import join_spot
from hlpairs_core.market.spot_names import SpotMatch
from hlpairs_core.screening.carry_facts import CarryFacts
from hlpairs_core.screening.carry_funding import CarryFunding
from hlpairs_core.screening.carry_gates import CarryAccount, carry_gates
from hlpairs_core.screening.gates import collect_misses, names_of_failed
from hlpairs_core.screening.legs import price_legs
from hlpairs_core.screening.priced import Columns
from hlpairs_core.screening.settings import ScreenSettings
from hlpairs_core.screening.signals import SIGNALS

__all__ = ["CARRY_FEATURES", "carry_candidates", "carry_signals", "screen_carry"]

CARRY_FEATURES = (
    "basis_bps", "basis_sd_bps", "basis_z", "funding_week_bps", "funding_mean_72h", "funding_sd_72h",
    "funding_mean_168h", "funding_sd_168h", "hold_noise_bps", "history_hours",
)  # fmt: skip
"""Columns of a carry candidate beside `SIGNALS` that are known at its signal bar."""

# What only a cointegration test has, and spot does not pay.
_NONE = (
    "p_value", "q_value", "t_stat", "half_life_hours", "r_squared", "correlation", "zscore", "half_life_low",
    "half_life_high", "crossings", "beta_drift", "market_beta_y", "market_beta_x", "funding_y_per_hour",
    "signal_age_bars",
)  # fmt: skip
_FUNDING_LASTS_HOURS = 24
_KINDS, _SIDES = ("perp_perp", "spot_perp"), ("long", "short")


def screen_carry(
    perps: Panel,
    spots: Panel,
    matches: Sequence[SpotMatch],
    *,
    settings: ScreenSettings,
    costs: CostModel,
    account: CarryAccount = CarryAccount(),  # noqa: B008 (frozen)
    books: Mapping[str, OrderBook] | None = None,
    convergence_bps: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Say what a carry trade of each matched pair is expected to earn, in both directions, at the last closed bar.

    Parameters
    ----------
    perps, spots : Panel
        Closed bars of one interval, perpetuals with funding; the columns of `spots` are the matches' ``coin``. The last
        bar of `perps` is the signal bar.
    matches : sequence of SpotMatch
        As of `match_spot`; at least one.
    settings : ScreenSettings
        ``horizon_hours`` (the hold: a carry trade has no other exit), ``notional_usd``, the caps, ``leverage`` (of the
        perpetual), ``min_traded_share, min_day_notional_usd``.
    costs : CostModel
        Taker fees of spot and of perpetuals, slippage.
    account : CarryAccount
        What the account may do: by default spot cannot be sold short and does not margin the perpetual.
    books : mapping of str to OrderBook, optional
        Of spot pairs and perpetuals by name on the wire; a pair without both is priced by the slippage model.
    convergence_bps : mapping of str to float, optional
        By spot pair: what the basis is expected to bring to long spot within the horizon, in bps of gross notional,
        estimated from **synchronous mids**. 0 where it is not given: candles cannot say.

    Returns
    -------
    DataFrame
        Two rows a pair: those that can be traded first, the best by net edge first. `SIGNALS` (``y`` is spot, ``x`` the
        perpetual, ``alpha`` 0, ``beta`` 1, ``sigma`` the standard deviation of the basis within 168 hours; NaN for
        what only a test of cointegration has), `CARRY_FEATURES`, and more:

        * ``tradable``: whether the sides can be taken at all; ``misses, gates_failed`` as in `Candidate`
        * ``basis_bps``: ``log perp - log spot`` of the closes, ``basis_z`` against the 168 hours before: description
        * ``hold_noise_bps``: what a hold brings more or less by chance: two fills anywhere in the basis' range, and
          funding whose hours differ from its mean for a day at a time (bps of gross notional)
        * ``expected_funding_bps``: see `expected_carry_funding`; ``funding_week_bps``: the same if the funding goes on
          as in the last week; both as the direction receives it
        * ``notional_y_usd, notional_x_usd``; ``margin_usd`` of the perpetual, and ``capital_usd``, with the spot that
          is paid in full
        * ``liquidation_distance_y, liquidation_distance_x``: move of the price, as a fraction, at which the exchange
          closes the leg: infinite for spot that is paid in full, NaN where it is unknown
        * ``funding_assumed``: whether the rate is the cost model's assumption

    Raises
    ------
    InputError
        If intervals differ, nothing is matched, or a panel lacks a matched coin.

    Notes
    -----
    Trades are entered at the next open. A hold of H hours from one hour to another receives H - 1 stamps: fills at the
    very hour neither pay nor receive it.
    """
    return carry_candidates(
        join_spot(perps, spots, matches),
        matches,
        settings=settings,
        costs=costs,
        account=account,
        books=books,
        convergence_bps=convergence_bps,
    )


def carry_candidates(
    panel: Panel,
    matches: Sequence[SpotMatch],
    *,
    settings: ScreenSettings,
    costs: CostModel,
    account: CarryAccount = CarryAccount(),  # noqa: B008 (frozen)
    books: Mapping[str, OrderBook] | None = None,
    convergence_bps: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Return what `screen_carry` does, from a panel of `join_spot`."""
    if panel.interval != settings.interval:
        raise InputError(
            f"the panel has {panel.interval} bars and the settings say {settings.interval}: make them agree"
        )
    facts = CarryFacts.of(panel, matches, books or {}, settings=settings, costs=costs)
    gained = np.array([(convergence_bps or {}).get(one.coin, 0.0) for one in matches])
    columns = _both_ways(_described(panel, facts, settings, costs) | {"expected_gross_bps": gained})
    columns |= _signed(columns) | account.columns(columns, settings)
    gates = carry_gates(columns, settings)
    columns["qualifies"] = ~np.any([gate.failed for gate in gates], axis=0)
    columns["is_top"] = _is_top(columns)
    rows = pd.DataFrame({name: columns[name] for name in columns if name not in ("unsound", "max_leverage")})
    rows["misses"] = pd.Series(collect_misses(gates, len(rows)), dtype=object)
    rows["gates_failed"] = pd.Series(names_of_failed(gates, len(rows)), dtype=object)
    return _as_table(rows, panel)


def carry_signals(candidates: pd.DataFrame) -> pd.DataFrame:
    """Return the candidates to learn from: tradable, of a sound history, with known funding that is received."""
    sound = ~candidates["gates_failed"].map(lambda failed: "history" in failed).astype(bool)
    return candidates[candidates["tradable"] & sound & (candidates["expected_funding_bps"] > 0)]


def _described(panel: Panel, facts: CarryFacts, settings: ScreenSettings, costs: CostModel) -> Columns:
    """Return what does not depend on the direction, one row a pair."""
    weight_y, weight_x = facts.weights
    legs = price_legs((facts.spot, facts.perp), (weight_y, weight_x), facts.liquidity, settings=settings, costs=costs)
    basis, funding, vol = facts.basis_moments(), facts.funding, facts.bar_volatility_bps(panel)
    traded, n = facts.liquidity.day_notional_usd, len(weight_y)
    return {
        "y": np.array([panel.coins[i] for i in facts.spot], dtype=object),
        "x": np.array([panel.coins[i] for i in facts.perp], dtype=object),
        **dict.fromkeys(_NONE, np.full(n, np.nan)),
        "alpha": np.zeros(n),
        "beta": np.ones(n),
        "sigma": basis.sigma,
        "spread_vol_bps": 1e4 * basis.move / 2,
        "vol_y_bps": vol[0],
        "vol_x_bps": vol[1],
        "day_notional_y_usd": traded[facts.spot],
        "day_notional_x_usd": traded[facts.perp],
        "funding_x_per_hour": funding.rate,
        "expected_funding_bps": 1e4 * weight_x * funding.stamps * funding.rate,
        "funding_week_bps": 1e4 * weight_x * funding.stamps * funding.week_rate,
        "expected_fee_bps": costs.round_trip_bps(weight_y, weight_x, kinds=("spot", "perp")),
        "expected_slippage_bps": legs.slippage_bps,
        "expected_hold_hours": np.full(n, float(settings.horizon_hours)),
        "capacity_usd": legs.capacity_usd,
        "notional_y_usd": weight_y * settings.notional_usd,
        "notional_x_usd": weight_x * settings.notional_usd,
        "basis_bps": 1e4 * basis.now,
        "basis_sd_bps": 1e4 * basis.sigma,
        "basis_z": basis.zscore,
        "funding_mean_72h": funding.mean_72h,
        "funding_sd_72h": funding.sd_72h,
        "funding_mean_168h": funding.week_rate,
        "funding_sd_168h": funding.sd_168h,
        "hold_noise_bps": _hold_noise_bps(weight_x, basis.sigma, funding),
        "funding_assumed": funding.assumed,
        "history_hours": facts.history_hours,
        "unsound": facts.unsound,
    }


def _hold_noise_bps(weight_x: FloatArray, sigma: FloatArray, funding: CarryFunding) -> FloatArray:
    of_basis = 1e4 * sigma / np.sqrt(2)
    hours = np.sqrt(funding.stamps * min(funding.stamps, _FUNDING_LASTS_HOURS))
    return np.asarray(np.hypot(of_basis, 1e4 * weight_x * funding.sd_168h * hours))


def _both_ways(columns: Columns) -> Columns:
    """Give each pair a row for long spot, and after those one for short spot."""
    n = len(columns["y"])
    return {name: np.tile(values, 2) for name, values in columns.items()} | {"short_y": np.repeat([False, True], n)}


def _signed(columns: Columns) -> Columns:
    """Turn what long spot receives into what each direction does, and add it up."""
    sign = np.where(columns["short_y"], -1.0, 1.0)
    names = ("expected_gross_bps", "expected_funding_bps", "funding_week_bps")
    signed: Columns = {name: sign * columns[name] for name in names}
    income = signed["expected_gross_bps"] + signed["expected_funding_bps"]
    return signed | {"expected_net_bps": income - columns["expected_fee_bps"] - columns["expected_slippage_bps"]}


def _is_top(columns: Columns) -> BoolArray:
    """Mark the qualifying row with the largest net edge; ties go by name."""
    top = np.zeros(len(columns["y"]), dtype=bool)
    rows = np.flatnonzero(columns["qualifies"])
    if len(rows):
        net: FloatArray = columns["expected_net_bps"]
        top[rows[np.lexsort((columns["y"][rows].astype(str), -net[rows]))[0]]] = True
    return top


def _as_table(rows: pd.DataFrame, panel: Panel) -> pd.DataFrame:
    """Name kinds, sides and the time, and put the best first."""
    short = rows.pop("short_y").to_numpy().astype(np.int64)
    rows["kind"] = pd.Categorical.from_codes(np.ones_like(short), categories=list(_KINDS))
    rows["signal_time"] = pd.DatetimeIndex([panel.closed_at] * len(rows)).as_unit("ms")
    rows["side_y"], rows["side_x"] = (pd.Categorical.from_codes(s, categories=list(_SIDES)) for s in (short, 1 - short))
    net = rows["expected_net_bps"].fillna(-np.inf).to_numpy()
    order = np.lexsort((rows["y"].to_numpy(str), -net, ~rows["tradable"].to_numpy(bool)))
    first = [*SIGNALS, *CARRY_FEATURES]
    return rows.iloc[order].reset_index(drop=True)[[*first, *(name for name in rows if name not in first)]]
