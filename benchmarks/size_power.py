"""What the gates can see, by simulation; writes the figures of ``docs/statistics.md`` where `docs/` is.

Minutes of work, all of it seeded: the same numbers on every machine, up to rounding.
"""

from pathlib import Path

import numpy as np

from benchmarks.engle_granger import Numbers, Rows
from benchmarks.report import Report
from benchmarks.svg import power_chart
from hlpairs_core.screening import orient_pairs
from hlpairs_core.stats import Rate, bonferroni_t, discovery_rates, engle_granger_pairs, gate_rate, mackinnon_p

FIGURES = Path(__file__).resolve().parents[1] / "docs" / "figures"
WINDOWS, RULES, HALF_LIVES = (168, 336, 672), ("aic", "bic", 1), (6.0, 12.0, 24.0, 48.0)
SIZE_PAIRS, POWER_PAIRS, UNIVERSES = 20_000, 2_000, 100
N_COINS, N_PLANTED = 100, 5
# Correlated by 0.02, 0.65 (the median of recorded coins) and 0.98.
NOISES = (50.0, 1.17, 0.2)
TAIL_COINS, TAIL_PANELS = 200, 200
TAIL_LEVELS = (0.05, 1e-2, 1e-3, 1e-4, 1e-5)


def run(_data: Path | None) -> Report:
    """Estimate sizes, the tail of MacKinnon's p, power and discoveries."""
    rows, numbers = [], {}
    for part in (_sizes, _orientations, _tail, _gate_power, _discoveries):
        more_rows, more_numbers = part()
        rows += more_rows
        numbers |= more_numbers
    return Report("size_power", rows, numbers)


def _sizes() -> tuple[Rows, Numbers]:
    rows: Rows = [("size of p < 5 %", f"{SIZE_PAIRS:,} independent pairs of walks each")]
    numbers: Numbers = {}
    for n_bars in WINDOWS:
        for rule in RULES:
            found = gate_rate(None, rng=np.random.default_rng(1), n_bars=n_bars, lag_rule=rule, n_pairs=SIZE_PAIRS)
            rows.append((f"  {n_bars} bars, {_lags(rule)}", _said(found)))
            numbers[f"size_{n_bars}_{rule}"] = found.rate
    return rows, numbers


def _orientations() -> tuple[Rows, Numbers]:
    rows: Rows = [("orientation", f"672 bars, lags by AIC; {SIZE_PAIRS:,} pairs each, or pairs of 20 coins")]
    numbers: Numbers = {}
    for noise in NOISES:
        for statistic in ("t", "better_t"):
            rng = np.random.default_rng(2)
            found = gate_rate(None, rng=rng, statistic=statistic, noise=noise, n_pairs=SIZE_PAIRS)
            rows.append((f"  {statistic}, correlation {1 / np.hypot(1, noise):.2f}", _said(found)))
            numbers[f"size_{statistic}_{noise:g}"] = found.rate
    found = _volume_oriented(np.random.default_rng(3))
    rows.append(("  x by volume", _said(found)))
    numbers["size_by_volume"] = found.rate
    return rows, numbers


def _volume_oriented(rng: np.random.Generator) -> Rate:
    """Coins of unequal volatility, the larger ones calmer, as on the exchange."""
    coins = tuple(f"C{i:02}" for i in range(20))
    shares = []
    for _ in range(UNIVERSES):
        volatility = np.exp(0.3 * rng.normal(size=20))
        volume = np.exp(2.0 * rng.normal(size=20)) / volatility**2
        common = rng.normal(size=(672, 1))
        walks = np.cumsum(volatility * (common + 0.7 * rng.normal(size=(672, 20))), axis=0)
        y, x = orient_pairs(coins, volume)
        pairs = list(zip(y.tolist(), x.tolist(), strict=True))
        shares.append(float((engle_granger_pairs(walks, pairs=pairs)["p_value"] < 0.05).mean()))
    return Rate(float(np.mean(shares)), float(np.std(shares, ddof=1) / np.sqrt(UNIVERSES)), UNIVERSES)


def _tail() -> tuple[Rows, Numbers]:
    """How often MacKinnon's p is below small levels when nothing is cointegrated."""
    n_pairs = TAIL_COINS * (TAIL_COINS - 1) // 2
    panels = f"{TAIL_PANELS} panels of {n_pairs:,} pairs of independent walks, 672 bars"
    rows: Rows = [("tail of MacKinnon's p", panels)]
    numbers: Numbers = {}
    for rule in ("aic", 1):
        rng = np.random.default_rng(4)
        below = np.zeros((TAIL_PANELS, len(TAIL_LEVELS)))
        any_below = np.zeros(2)
        thresholds = [bonferroni_t(n_pairs).t_stat, bonferroni_t(n_pairs, 671).t_stat]
        for panel in range(TAIL_PANELS):
            walks = np.cumsum(rng.normal(size=(672, TAIL_COINS)), axis=0)
            t = engle_granger_pairs(walks, lag_rule=rule)["t_stat"].to_numpy()
            below[panel] = [(mackinnon_p(t) < level).mean() for level in TAIL_LEVELS]
            any_below += t.min() <= thresholds
        means, errors = below.mean(axis=0), below.std(axis=0, ddof=1) / np.sqrt(TAIL_PANELS)
        for level, mean, error in zip(TAIL_LEVELS, means, errors, strict=True):
            ratio = f"{mean / level:.2f} ± {error / level:.2f} times the level"
            rows.append((f"  {_lags(rule)}, p < {level:g}", f"{mean:.2e}: {ratio}"))
            numbers[f"tail_{rule}_{level:g}"] = float(mean)
        shares = any_below / TAIL_PANELS
        rows.append(
            (f"  {_lags(rule)}, Bonferroni", f"any pair beyond: {shares[0]:.1%}; with 671 observations {shares[1]:.1%}")
        )
    return rows, numbers


def _gate_power() -> tuple[Rows, Numbers]:
    rows: Rows = [("power of p < 5 %", f"{POWER_PAIRS:,} pairs each, lags by AIC")]
    numbers: Numbers = {}
    curves = {}
    for n_bars in WINDOWS:
        rates = [
            gate_rate(half_life, rng=np.random.default_rng(5), n_bars=n_bars, n_pairs=POWER_PAIRS)
            for half_life in HALF_LIVES
        ]
        curves[f"{n_bars} bars"] = [(h, found.rate) for h, found in zip(HALF_LIVES, rates, strict=True)]
        for half_life, found in zip(HALF_LIVES, rates, strict=True):
            rows.append((f"  {n_bars} bars, half-life {half_life:g}", _said(found)))
            numbers[f"power_{n_bars}_{half_life:g}"] = found.rate
    _save("power-of-p.svg", "A cointegrated pair passes p < 5 %", curves, "share of pairs", level=0.05)
    return rows, numbers


def _discoveries() -> tuple[Rows, Numbers]:
    universe = f"{UNIVERSES} universes of {N_COINS} coins with {N_PLANTED} planted pairs, 672 bars, lags by AIC"
    rows: Rows = [("discoveries, q <= 5 %", universe)]
    numbers: Numbers = {}
    curves: dict[str, list[tuple[float, float]]] = {"BH": [], "BY": [], "ranks first": []}
    for half_life in HALF_LIVES:
        for control in ("bh", "by"):
            found = discovery_rates(
                half_life,
                rng=np.random.default_rng(6),
                n_coins=N_COINS,
                n_planted=N_PLANTED,
                control=control,
                n_universes=UNIVERSES,
            )
            false = f"false among discoveries {_said(found.false)}; a planted pair is first: {found.best.rate:.0%}"
            rows.append((f"  {control.upper()}, half-life {half_life:g}", f"found {_said(found.found)}; {false}"))
            numbers[f"found_{control}_{half_life:g}"] = found.found.rate
            numbers[f"false_{control}_{half_life:g}"] = found.false.rate
            curves[control.upper()].append((half_life, found.found.rate))
        curves["ranks first"].append((half_life, found.best.rate))
        numbers[f"first_{half_life:g}"] = found.best.rate
    title = f"{N_PLANTED} pairs among {N_COINS * (N_COINS - 1) // 2:,}, q ≤ 5 %, 672 bars"
    _save("power-of-q.svg", title, curves, "share found")
    return rows, numbers


def _save(
    name: str, title: str, curves: dict[str, list[tuple[float, float]]], y: str, level: float | None = None
) -> None:
    FIGURES.mkdir(exist_ok=True)
    chart = power_chart(title, curves, x_label="half-life (bars)", y_label=y, level=level)
    (FIGURES / name).write_text(chart, encoding="utf-8")


def _lags(rule: str | int) -> str:
    return f"lags by {rule.upper()}" if isinstance(rule, str) else f"{rule} lag"


def _said(found: Rate) -> str:
    return f"{found.rate:.1%} ± {found.standard_error:.1%}"
