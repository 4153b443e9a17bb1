"""The page that fixes the synthetic market's parameters says what the code does."""

from pathlib import Path

import pytest

from hlpairs_core.simulation import factors, premia, prices, process, relations, synthetic_market, trading
from hlpairs_core.simulation.listings import SPOT_LINKS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "simulated-market.md").read_text()

STATED = {
    "half-life": "log-uniform, {:g} to {:g} hours".format(*relations._HALF_LIVES),
    "hedge ratio": "uniform, {:g} to {:g}".format(*relations._HEDGE_RATIOS),
    "noise": "log-uniform, {:.2f} % to {:.1f} %".format(*(100 * noise for noise in relations._NOISE_SDS)),
    "rate of breaks": f"once in {relations._BREAK_HOURS / 24:g} days",
    "size of breaks": "{:g} to {:g} standard deviations of the spread".format(*relations._BREAK_SDS),
    "least volume": f"of {relations._LIQUID_USD:,.0f} USD a day or more",
    "market": f"| {100 * factors.MARKET_SIGMA:.1f} % |",
    "sectors": f"| {factors.N_SECTORS}, drawn evenly; {100 * factors.SECTOR_SIGMA:.2f} % an hour",
    "own part": f"median {100 * factors._OWN_MEDIAN:.2f} %, log sd {factors._OWN_LOG_SD:g}",
    "jumps": f"once in {prices._JUMP_HOURS:,.0f} hours, normal with {prices._JUMP_SIGMAS:g} own",
    "market jumps": f"once in {prices._MARKET_JUMP_HOURS:,.0f} hours, normal with {prices._MARKET_JUMP_SIGMAS:g} |",
    "shared activity": "sd {:.2f} with half-life {:g} h, sd {:.2f} with {:g} h;".format(*sum(prices._SHARED, ())),
    "own activity": "sd {:.2f} with half-life {:g} h, sd {:.2f} with {:g} h |".format(*sum(prices._OWN, ())),
    "walls": f"market ±{prices._MARKET_WALL:g}, sector ±{prices._SECTOR_WALL:g}, own ±{prices._OWN_WALL:g}, "
    f"decoy ±{prices._RELATION_WALL:g}",
    "drift": f"beyond {process._USUAL_RATE:.5f} an hour",
    "reach": f"{trading._REACH:g} of the hour's sd",
    "shared premium": f"| {1e4 * premia._COMMON[0]:.1f} bps | {premia._COMMON[1]:g} h |",
    "own premium": f"| {1e4 * premia._OWN[0]:.1f} bps | {premia._OWN[1]:g} h |",
    "fast premium": f"| {1e4 * premia._FAST[0]:.1f} bps | {premia._FAST[1]:g} h |",
    "squeezes": f"median {1e4 * premia._SQUEEZE_MEDIAN:g} bps, log sd {premia._SQUEEZE_LOG_SD:g}; "
    f"{100 * premia._SQUEEZE_DOWN:g} % of them down",
    "name": synthetic_market(7, 60, start="2025-03-01", clock=lambda: 0.0).name,
}


@pytest.mark.parametrize("parameter", STATED)
def test_a_parameter_is_the_one_that_is_stated(parameter: str) -> None:
    assert STATED[parameter] in PAGE


@pytest.mark.parametrize("link", SPOT_LINKS, ids=lambda link: link.name)
def test_a_spot_pair_is_stated_with_its_spread(link: object) -> None:
    assert f"| {link.name}" in PAGE  # type: ignore[attr-defined]
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| {link.name}"))  # type: ignore[attr-defined]
    assert f"{link.half_spread_bps:g} bps" in row  # type: ignore[attr-defined]
