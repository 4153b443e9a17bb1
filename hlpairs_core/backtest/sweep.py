from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import TypeAlias

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray, IntArray
from hlpairs_core.backtest.market_bars import MarketBars
from hlpairs_core.backtest.sweep_market import impact_of_window, sweep_arrays
from hlpairs_core.backtest.sweep_rules import SMALLEST_RESIDUAL, TOTALS, SweepArrays, SweepRules
from hlpairs_core.costs import MINIMUM_ORDER_USD, CostModel, check_integer, check_number
from hlpairs_core.exceptions import InputError
from hlpairs_core.market.panel import Panel
from hlpairs_core.screening import DEFAULT_COSTS
from hlpairs_core.stats._compile import use_numba

__all__ = ["sweep"]

Sweep: TypeAlias = Callable[[SweepArrays, SweepRules, IntArray, IntArray, float, FloatArray], tuple[int, int]]

_SHORTEST_WINDOW = 10


def sweep(
    panel: Panel,
    pairs: Iterable[tuple[str, str]],
    *,
    entry: Sequence[float] = (2.0,),
    exit: Sequence[float] = (0.5,),
    stop: Sequence[float] = (np.inf,),
    hold: Sequence[int] = (48,),
    window: Sequence[int] = (336,),
    costs: CostModel = DEFAULT_COSTS,
    notional_usd: float = 10_000.0,
    delay_bars: int = 0,
    accelerate: bool | None = None,
) -> pd.DataFrame:
    """Backtest many pairs by many rules: entry × exit × stop × hold × window.

    Each pair is traded alone, one position at a time. At every closed bar it is fitted on the `window` bars before and
    entered where |z| of the close is at or above `entry` and below `stop`; α, β and σ are then frozen until the trade
    is over. Fills, waiting, funding, costs and forced exits are those of `backtest_pairs`, to which the results are
    equal: unrounded sizes, no caps, no margin.

    Parameters
    ----------
    panel : Panel
        Bars with funding.
    pairs : iterable of (y, x)
        Coins of the panel.
    entry, exit, stop : sequence of float
        Levels of z: entered at |z| at or above `entry`; left where z is back at `exit`, or at `stop` or beyond on the
        side of the entry (infinite: no stop). Combinations without ``exit < entry < stop`` are left out.
    hold : sequence of int
        Time stops (bars). An entry that is not filled within it is withdrawn.
    window : sequence of int
        Bars of the fit.
    costs : CostModel
        Taker fee, slippage model, assumed funding.
    notional_usd : float
        Gross notional of each trade (USD). A pair with a leg below the least order is not entered.
    delay_bars : int
        Bars that every order comes later than the open after its signal.
    accelerate : bool, optional
        Whether to use Numba; by default where it can be imported. The results are alike.

    Returns
    -------
    DataFrame
        One row a pair and rule: ``y, x, window, entry, exit, stop, hold_bars, trades``; sums over the trades
        ``gross_bps, fee_bps, slippage_bps, funding_bps, net_bps`` (of the notional at entry; ``net = gross - fee -
        slippage + funding``); ``mean_net_bps, sd_net_bps`` (per trade, NaN below one and two trades), ``worst_net_bps``
        (of one trade), ``hit_rate``, and ``exposure``: share of the bars held. This is in-sample description: the
        best of so many rules is best by luck as well.

    Raises
    ------
    InputError
        If a pair names no coin of the panel, a level or a number cannot be, no rule is left, the panel is shorter than
        the longest window needs, or a due funding rate is unknown and none is assumed.

    Examples
    --------
    >>> pairs = [("ETH", "BTC"), ("SOL", "BTC")]
    >>> sweep(panel, pairs, entry=(2.0, 2.5), stop=(4.0, np.inf), window=(168, 336))  # doctest: +SKIP
    """
    legs = _legs(panel, pairs)
    rules = _rules(entry, exit, stop, hold, notional_usd, delay_bars, costs)
    for length in window:
        check_integer("window", length, low=_SHORTEST_WINDOW, high=panel.n_bars - 2)
    run = _sweep_of(accelerate)
    bars = MarketBars.of(panel, costs.assumed_funding_per_hour)
    market = sweep_arrays(bars)
    tables = []
    for length in sorted(set(map(int, window))):
        own = rules._replace(window=length)
        seen = market._replace(
            impact=impact_of_window(bars, length, costs.slippage_multiple * costs.impact_coefficient)
        )
        totals = np.zeros((len(legs[0]), *map(len, (own.enter, own.leave, own.stop, own.hold)), len(TOTALS)))
        totals[..., -1] = np.inf
        column, bar = run(seen, own, *legs, SMALLEST_RESIDUAL, totals)
        if column >= 0:
            bars.refuse_rate(bar, column)
        tables.append(_table(panel, legs, own, totals))
    return pd.concat(tables, ignore_index=True)


def _sweep_of(accelerate: bool | None) -> Sweep:
    if use_numba(accelerate):
        from hlpairs_core.backtest import sweep_kernels

        return sweep_kernels.sweep_pairs
    from hlpairs_core.backtest import sweep_numpy

    return sweep_numpy.sweep_pairs


def _legs(panel: Panel, pairs: Iterable[tuple[str, str]]) -> tuple[IntArray, IntArray]:
    place = {coin: column for column, coin in enumerate(panel.coins)}
    given = list(pairs)
    if not given:
        raise InputError("no pair to sweep: give at least one (y, x)")
    for y, x in given:
        unknown = [coin for coin in (y, x) if coin not in place]
        if unknown or y == x:
            what = f"the panel has no coin {unknown[0]!r}" if unknown else "a pair needs two coins"
            raise InputError(f"cannot sweep the pair {y}/{x}: {what}")
    columns = np.array([[place[y], place[x]] for y, x in given], dtype=np.int64)
    return columns[:, 0].copy(), columns[:, 1].copy()


def _rules(
    entry: Sequence[float],
    leave: Sequence[float],
    stop: Sequence[float],
    hold: Sequence[int],
    notional_usd: float,
    delay_bars: int,
    costs: CostModel,
) -> SweepRules:
    check_number("notional_usd", notional_usd, low=2 * MINIMUM_ORDER_USD, high=np.inf)
    check_integer("delay_bars", delay_bars, low=0, high=1000)
    for bars in hold:
        check_integer("hold", bars, low=1, high=1_000_000)
    enter, back, out = _levels("entry", entry), _levels("exit", leave), _levels("stop", stop)
    if not any(low < at < high for low, at, high in product(back, enter, out)):
        raise InputError("no rule has exit < entry < stop: change the levels")
    if not len(hold):
        raise InputError("hold is empty: give at least one number of bars")
    return SweepRules(
        enter=enter, leave=back[::-1].copy(), stop=out, hold=np.unique(np.array(hold, dtype=np.int64)), window=0,
        delay=int(delay_bars), notional=float(notional_usd), fee_bps=float(costs.taker_fee_bps),
        half_spread_bps=float(costs.slippage_multiple * costs.half_spread_bps), least_usd=MINIMUM_ORDER_USD,
    )  # fmt: skip


def _levels(name: str, given: Sequence[float]) -> FloatArray:
    """Return levels of z, rising, each once."""
    if not len(given):
        raise InputError(f"{name} is empty: give at least one level of z")
    for level in given:
        if name != "stop" or level != np.inf:
            check_number(name, level, low=0, high=1000)
    return np.unique(np.array(given, dtype=np.float64))


def _table(panel: Panel, legs: tuple[IntArray, IntArray], rules: SweepRules, totals: FloatArray) -> pd.DataFrame:
    enter, leave, stop, hold = np.meshgrid(rules.enter, rules.leave, rules.stop, rules.hold, indexing="ij")
    sound = (leave < enter) & (enter < stop)
    n_rules, (n_pairs, coins) = int(sound.sum()), (len(legs[0]), np.array(panel.coins, dtype=object))
    columns = dict(zip(TOTALS, totals[:, sound].reshape(-1, len(TOTALS)).T, strict=True))
    trades = columns["trades"]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = columns["net_bps"] / trades
        variance = (columns["squares"] - trades * mean**2) / (trades - 1)
        hit_rate = columns["wins"] / trades
    table = {name: np.repeat(coins[leg], n_rules) for name, leg in zip("yx", legs, strict=True)}
    table["window"] = np.full(n_pairs * n_rules, rules.window)
    for name, level in (("entry", enter), ("exit", leave), ("stop", stop), ("hold_bars", hold)):
        table[name] = np.tile(level[sound], n_pairs)
    table["trades"] = trades.astype(np.int64)
    table |= {name: columns[name] for name in TOTALS[1:6]}
    table["mean_net_bps"] = mean
    table["sd_net_bps"] = np.where(trades > 1, np.sqrt(np.maximum(variance, 0.0)), np.nan)
    table["worst_net_bps"] = np.where(trades > 0, columns["worst"], np.nan)
    table["hit_rate"] = hit_rate
    table["exposure"] = columns["bars"] / panel.n_bars
    return pd.DataFrame(table)
