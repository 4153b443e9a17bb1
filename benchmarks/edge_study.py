"""What policies would have brought on recorded months: one rule chosen before a day, and judged after it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.edge_carry import carry_trades, model_choices
from benchmarks.edge_markets import Market, bar_markets, hourly_market
from hlpairs_core.backtest import realise
from hlpairs_core.costs import CostModel
from hlpairs_core.edge.account import account_of
from hlpairs_core.edge.choice import FEWEST_BLOCKS, best_of_bars
from hlpairs_core.edge.holds import longest_hold
from hlpairs_core.edge.nested import nested_optimisation
from hlpairs_core.edge.nested_result import NestedOptimisation
from hlpairs_core.edge.rules import TradeRule, rule_grid
from hlpairs_core.exceptions import InputError

COSTS, SEED, BLOCK_HOURS = CostModel(), 1, 168.0
HORIZONS, MULTIPLES, DELAYS = (12.0, 24.0, 48.0), (0.0, 1.0, 2.0), (0, 1, 2)
# The default screen's largest leg is 1 % of what a coin trades in a day; legs are about 5,000 USD.
TRADABLE_USD, LIQUID_USD = 500_000.0, 5_000_000.0
FILTERS: tuple[dict[str, float], ...] = (
    {}, {"min_tightness": 0.5}, {"min_record_share": 0.15}, {"min_day_notional_usd": LIQUID_USD},
    {"max_half_life_hours": 12.0},
)  # fmt: skip
FAMILY = tuple(
    replace(rule, **extra)
    for extra in FILTERS
    for rule in rule_grid(
        TradeRule(min_day_notional_usd=TRADABLE_USD), horizon_hours=HORIZONS, z_in=(2.0, 2.5, 3.0), rank=("net", "p")
    )
)
"""Every rule that is tried."""

MODEL, CHOSEN, RANDOM, RAW = "the model", "chosen rule", "random pair", "best uncalibrated"
NESTED = "nested choice"


@dataclass(frozen=True, eq=False)
class EdgeStudy:
    """What was tried, what was chosen, and what it and the others brought.

    Attributes
    ----------
    fit_until, judge_until : pandas.Timestamp
        Signals from the one to before the other are judged.
    nested : NestedOptimisation
        The search, before `fit_until`.
    chosen : TradeRule
        The rule with the highest Sharpe ratio of weeks before `fit_until`, gain or loss.
    table : DataFrame
        One row an account: ``cut, value, policy`` and the columns of `Account`.
    """

    fit_until: pd.Timestamp
    judge_until: pd.Timestamp
    nested: NestedOptimisation
    chosen: TradeRule
    table: pd.DataFrame

    @property
    def becomes_default(self) -> bool:
        """Whether the chosen rule's interval, of twelve weeks or more, is above 0 at once and at twice the slippage."""
        judged = self.table[(self.table["cut"] == "slippage") & (self.table["policy"] == CHOSEN)]
        told = judged.set_index("value").reindex(["1 ×", "2 ×"])
        return bool(((told["low_bps"] > 0) & (told["n_blocks"] >= FEWEST_BLOCKS)).all())


def edge_study(data: Path, *, fit_until: pd.Timestamp, folder: Path | None = None, every: int = 6) -> EdgeStudy:
    """Choose before the day, judge from it on."""
    hourly = hourly_market(data, every=every, folder=folder)
    before = hourly.rows[hourly.rows["signal_time"] < fit_until]
    nested = nested_optimisation(
        before, hourly.panel.until(fit_until), rules=FAMILY, settings=hourly.settings, costs=COSTS,
        rng=np.random.default_rng(SEED),
    )  # fmt: skip
    if nested.best is None:
        raise InputError("no rule has traded often enough before the day to be judged: use more history")
    chosen = nested.best
    end = hourly.panel.closed_at - longest_hold(horizon_hours=max(HORIZONS), bar_hours=4.0)
    judged = hourly.between(fit_until, end)
    choices = _choices(judged, chosen) | {MODEL: _model_choices(hourly, judged, fit_until)}
    accounts = [
        *_before(hourly, nested, chosen),
        *(row for policy in (MODEL, CHOSEN, RANDOM, RAW) for row in _judged(judged, policy, choices[policy], chosen)),
        *_spot_against_perp(data, hourly, fit_until, every),
        *_by_liquidity(judged, choices, chosen, before),
        *_bar_lengths(data, folder, judged, chosen),
    ]
    return EdgeStudy(fit_until, end, nested, chosen, pd.DataFrame(accounts))


def _choices(market: Market, chosen: TradeRule) -> dict[str, pd.DataFrame]:
    """Return the candidates that each policy but the model's takes, one a bar."""
    rows = market.rows
    rng = np.random.default_rng(SEED)
    tradable = TradeRule(min_day_notional_usd=TRADABLE_USD).passes(rows)
    any_one = best_of_bars(rows["signal_time"], rng.random(len(rows)), tradable)
    return {
        CHOSEN: rows.iloc[chosen.choose(rows)],
        RANDOM: rows.iloc[any_one],
        RAW: rows[rows["is_top"]],
    }


def _model_choices(market: Market, judged: Market, fit_until: pd.Timestamp) -> pd.DataFrame:
    """Return what the calibrated model takes of the judged candidates that pass the screen's gates."""
    settings, rows = market.settings, judged.rows
    gated = rows[(rows["p_value"] < settings.p_max) & (rows["zscore"].abs() >= settings.z_in)]
    return model_choices(market.rows, gated, settings, fit_until, block_hours=BLOCK_HOURS, seed=SEED)


def _before(hourly: Market, nested: NestedOptimisation, chosen: TradeRule) -> list[dict[str, object]]:
    """Over the stretches before the day that the nested search traded; the chosen rule has seen them."""
    early = hourly.between(nested.folds[0].start, nested.folds[-1].stop)
    choices = {name: _came(early, rows, _hours(name, chosen)) for name, rows in _choices(early, chosen).items()}
    return [
        _row("span", "before", policy, came, early.n_bars)
        for policy, came in ({NESTED: nested.trades.drop(columns="fold")} | choices).items()
    ]


def _judged(judged: Market, policy: str, rows: pd.DataFrame, chosen: TradeRule) -> Iterator[dict[str, object]]:
    """From the day on: as it is, by kind, slippage, delay and time stop."""
    own, n_bars = _hours(policy, chosen), judged.n_bars
    came = _came(judged, rows, own)
    yield _row("span", "judged", policy, came, n_bars)
    yield _row("kind", f"perp_perp, {own:g} h", policy, came, n_bars)
    for multiple in MULTIPLES:
        yield _row("slippage", f"{multiple:g} ×", policy, came, n_bars, multiple=multiple)
    for delay in DELAYS:
        yield _row("delay", f"{delay} bars", policy, _came(judged, rows, own, delay=delay), n_bars)
    for hours in HORIZONS:
        yield _row("horizon", f"{hours:g} h", policy, _came(judged, rows, hours), n_bars)


def _spot_against_perp(data: Path, hourly: Market, fit_until: pd.Timestamp, every: int) -> Iterator[dict[str, object]]:
    """Of the other kind of pair, for two holds; the rules tried are of perps and take none of it."""
    told = carry_trades(data, hourly.bars, settings=hourly.settings, fit_until=fit_until, every=every, seed=SEED)
    for one in told:
        for policy, came in ((MODEL, one.model), (RANDOM, one.random), (RAW, one.top)):
            value = f"spot_perp, {one.hours:g} h"
            yield _row("kind", value, policy, came, one.n_bars, block_hours=one.block_hours)


def _by_liquidity(
    judged: Market, choices: Mapping[str, pd.DataFrame], chosen: TradeRule, before: pd.DataFrame
) -> Iterator[dict[str, object]]:
    """By what the leg that trades less trades in a day, in thirds of the candidates before the day."""
    bounds = np.quantile(_weaker(before[TradeRule(min_day_notional_usd=TRADABLE_USD).passes(before)]), [1 / 3, 2 / 3])
    names = [f"up to {bounds[0] / 1e6:.1f} M$", f"to {bounds[1] / 1e6:.1f} M$", "above"]
    for policy, rows in choices.items():
        came = _came(judged, rows, _hours(policy, chosen))
        third = np.searchsorted(bounds, _weaker(came), side="right")
        yield from (_row("liquidity", name, policy, came[third == n], None) for n, name in enumerate(names))


def _bar_lengths(data: Path, folder: Path | None, judged: Market, chosen: TradeRule) -> Iterator[dict[str, object]]:
    for market in (judged, *bar_markets(data, judged, folder=folder)):
        hours = market.settings.horizon_hours
        own = replace(chosen, horizon_hours=min(chosen.horizon_hours, hours))
        for policy, rows in _choices(market, own).items():
            came = _came(market, rows, own.horizon_hours if policy == CHOSEN else hours)
            yield _row("bars", market.settings.interval, policy, came, market.n_bars)


def _hours(policy: str, chosen: TradeRule) -> float:
    """Return the time stop of a policy's trades."""
    return chosen.horizon_hours if policy == CHOSEN else 48.0


def _came(market: Market, rows: pd.DataFrame, hours: float, *, delay: int = 0) -> pd.DataFrame:
    """Return candidates with what came of them."""
    settings = replace(market.settings, horizon_hours=hours)
    came = realise(rows, market.panel, settings=settings, costs=COSTS, delay_bars=delay)
    return pd.concat([rows.drop(columns=came.columns), came], axis=1)


def _row(
    cut: str, value: str, policy: str, trades: pd.DataFrame, n_bars: int | None, *, multiple: float = 1.0,
    block_hours: float = BLOCK_HOURS,
) -> dict[str, object]:  # fmt: skip
    rng = np.random.default_rng(SEED)
    found = account_of(trades, rng=rng, n_bars=n_bars, slippage_multiple=multiple, block_hours=block_hours)
    return {"cut": cut, "value": value, "policy": policy} | found.as_row()


def _weaker(rows: pd.DataFrame) -> np.ndarray:
    return np.minimum(rows["day_notional_y_usd"], rows["day_notional_x_usd"]).to_numpy()
