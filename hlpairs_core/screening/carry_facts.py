"""What is known of a spot pair and its perpetual at a closed bar: basis, liquidity, what speaks against them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlpairs_core._typing import FloatArray, IntArray, StrArray
from hlpairs_core.costs import CostModel
from hlpairs_core.exchange.book import OrderBook
from hlpairs_core.market import Panel
from hlpairs_core.market.spot_names import SpotMatch
from hlpairs_core.screening.carry_funding import WINDOW_HOURS, CarryFunding, expected_carry_funding
from hlpairs_core.screening.legs import CoinLiquidity
from hlpairs_core.screening.liquidity import bars_per_day, day_notional_usd, day_volatility_bps
from hlpairs_core.screening.settings import ScreenSettings

__all__ = ["Basis", "CarryFacts"]

# A spot pair that was further than this from its perpetual within the window (log) is no market for the same coin: the
# first days of a listing, whose trades are at any price.
_FURTHEST = 0.10


@dataclass(frozen=True, eq=False)
class Basis:
    """``log perp - log spot`` of each match at the last close, and its moments in the window before; (n_matches,).

    Attributes
    ----------
    now, zscore : ndarray
        At the signal bar's close; in standard deviations from the window's mean.
    sigma, move : ndarray
        Standard deviation in the window, and that of its changes from bar to bar.
    """

    now: FloatArray
    zscore: FloatArray
    sigma: FloatArray
    move: FloatArray


@dataclass(frozen=True, eq=False)
class CarryFacts:
    """What candidates are made from; arrays have shape (n_matches,).

    Attributes
    ----------
    spot, perp : ndarray of int
        Positions in the joined panel.
    close_spot, close_perp : ndarray
        USD per unit of the perpetual.
    basis : ndarray, shape (window + 1, n_matches)
        ``log perp - log spot`` at the closes, the signal bar's last; NaN without a bar.
    liquidity : CoinLiquidity
        By position.
    funding : CarryFunding
        Of the perpetuals.
    history_hours : ndarray
        How long both have traded in the panel.
    unsound : ndarray of str
        Why the history cannot be relied on; empty where it can.
    """

    spot: IntArray
    perp: IntArray
    close_spot: FloatArray
    close_perp: FloatArray
    basis: FloatArray
    liquidity: CoinLiquidity
    funding: CarryFunding
    history_hours: FloatArray
    unsound: StrArray

    @classmethod
    def of(
        cls,
        known: Panel,
        matches: Sequence[SpotMatch],
        books: Mapping[str, OrderBook],
        *,
        settings: ScreenSettings,
        costs: CostModel,
    ) -> "CarryFacts":
        """Collect them at the last bar of a panel of `join_spot`."""
        place = {coin: position for position, coin in enumerate(known.coins)}
        spot, perp = (
            np.array([place[getattr(one, name)] for one in matches], dtype=np.int64) for name in ("coin", "perp")
        )
        recent = known.tail(round(WINDOW_HOURS / settings.bar_hours) + 1)
        both = np.isfinite(known.close[:, spot]) & np.isfinite(known.close[:, perp])
        notional = day_notional_usd(known)
        basis = recent.log_close[:, perp] - recent.log_close[:, spot]
        enough = recent.n_bars > 3
        volatility = day_volatility_bps(recent.close[:-1], known.interval) if enough else np.full(known.n_coins, np.nan)
        return cls(
            spot=spot,
            perp=perp,
            close_spot=known.close[-1, spot],
            close_perp=known.close[-1, perp],
            basis=basis,
            liquidity=CoinLiquidity.of(known.coins, notional, volatility, books),
            funding=expected_carry_funding(known, perp, settings=settings, costs=costs),
            history_hours=both.sum(axis=0) * settings.bar_hours,
            unsound=_unsound(recent, spot, perp, basis, np.minimum(notional[spot], notional[perp]), settings),
        )

    @property
    def weights(self) -> tuple[FloatArray, FloatArray]:
        """Shares of the gross notional of spot and perpetual: a unit of each."""
        both = self.close_spot + self.close_perp
        return self.close_spot / both, self.close_perp / both

    def basis_moments(self) -> Basis:
        """Return the moments of the basis; NaN where a bar is missing or there are too few."""
        now, window = self.basis[-1], self.basis[:-1]
        if len(window) < 3:
            return Basis(now, *np.full((3, len(now)), np.nan))
        sigma = np.std(window, axis=0, ddof=1)
        zscore = (now - window.mean(axis=0)) / np.where(sigma > 0, sigma, np.nan)
        return Basis(now, zscore, sigma, np.std(np.diff(window, axis=0), axis=0, ddof=1))

    def bar_volatility_bps(self, known: Panel) -> tuple[FloatArray, FloatArray]:
        """Return the legs' volatility of a bar."""
        each = self.liquidity.day_volatility_bps / np.sqrt(bars_per_day(known.interval))
        return each[self.spot], each[self.perp]


def _unsound(
    recent: Panel, spot: IntArray, perp: IntArray, basis: FloatArray, notional: FloatArray, settings: ScreenSettings
) -> StrArray:
    """Say why a history cannot be relied on, looking back over the window and no further."""
    needed = round(WINDOW_HOURS / settings.bar_hours) + 1
    found = np.isfinite(basis).sum(axis=0)
    share = np.minimum(recent.traded[:, spot].mean(axis=0), recent.traded[:, perp].mean(axis=0))
    furthest = pd.DataFrame(np.abs(basis)).max().to_numpy()
    said = []
    for one, traded, apart, usd in zip(found, share, furthest, notional, strict=True):
        if one < needed:
            said.append(f"{needed - one} of the last {needed} bars of both are missing")
        elif traded < settings.min_traded_share:
            said.append(f"a leg traded in {100 * traded:.0f}% of bars, needs {100 * settings.min_traded_share:.0f}%")
        elif apart > _FURTHEST:
            said.append(f"spot was {100 * apart:.0f}% from the perpetual within {WINDOW_HOURS} hours: not one market")
        elif not usd >= settings.min_day_notional_usd:
            said.append(f"a leg traded {usd:,.0f} USD in 24 hours, needs {settings.min_day_notional_usd:,.0f}")
        else:
            said.append("")
    return np.array(said, dtype=object)
