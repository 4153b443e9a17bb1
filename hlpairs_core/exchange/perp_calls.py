"""Calls about the universes of perps: the main one, and builders'."""

from functools import partial

import pandas as pd

from hlpairs_core.exceptions import RequestRefused
from hlpairs_core.exchange import requests
from hlpairs_core.exchange.arguments import check_dex
from hlpairs_core.exchange.dexs import PerpDex, parse_perp_dexs
from hlpairs_core.exchange.payloads import parse_mids
from hlpairs_core.exchange.session import InfoCalls
from hlpairs_core.exchange.universe import Universe, parse_contexts, parse_universe
from hlpairs_core.exchange.venues import parse_predicted_fundings

__all__ = ["PerpCalls"]


class PerpCalls(InfoCalls):
    """Part of `HyperliquidClient`. Where a call takes a `dex`, empty is the main one."""

    async def universe(self, dex: str = "") -> Universe:
        """Fetch the perps of a dex, without prices.

        Raises
        ------
        InputError
            If `dex` can be no name.
        RequestRefused
            If there is no such dex.
        """
        first_id = await self._first_id(dex)
        universe = await self._ask(requests.meta(dex), partial(parse_universe, dex=dex, first_id=first_id))
        self._note(dex, {asset.coin: asset.is_delisted for asset in universe.assets})
        return universe

    async def contexts(self, dex: str = "") -> pd.DataFrame:
        """Fetch the perps of a dex and what the exchange says of each now.

        Returns
        -------
        pandas.DataFrame, indexed by ``coin``
            All coins in the exchange's order, delisted ones too: ``asset`` (the id in orders; it follows from
            the position in that order, see `universe_changes`), ``size_decimals``, ``max_leverage``,
            ``only_isolated``, ``is_delisted``, ``funding_rate`` (fraction per hour, running estimate),
            ``open_interest`` (base units), ``oracle_price, mark_price, mid_price`` (USD), ``premium``
            (fraction), ``impact_bid, impact_ask, prev_day_price`` (USD), ``day_notional_usd``,
            ``day_base_volume``. NaN where the exchange says null, as for the mid of a coin without a book.

        Raises
        ------
        InputError
            If `dex` can be no name.
        RequestRefused
            If there is no such dex.
        """
        first_id = await self._first_id(dex)
        read = partial(parse_contexts, dex=dex, first_id=first_id)
        frame = await self._ask(requests.meta_and_contexts(dex), read)
        self._note(dex, dict(zip(frame.index, frame["is_delisted"].tolist(), strict=True)))
        return frame

    async def all_mids(self, dex: str = "") -> dict[str, float]:
        """Fetch all mid prices (USD) by coin; the main dex's with those of spot pairs such as ``@107``.

        The mid of a coin without a book is its last trade, which may be old.

        Raises
        ------
        InputError
            If `dex` can be no name.
        """
        return await self._ask(requests.all_mids(check_dex(dex)), partial(parse_mids, dex=dex))

    async def perp_dexs(self) -> tuple[PerpDex, ...]:
        """Fetch the dexs of builders, by index; the main dex is not among them."""
        self._session.dexs = await self._ask(requests.plain("perpDexs"), parse_perp_dexs)
        return self._session.dexs

    async def predicted_fundings(self) -> pd.DataFrame:
        """Fetch the funding that this and other exchanges are about to pay on the coins of the main universe.

        Returns
        -------
        pandas.DataFrame
            One row a coin and venue: ``coin``, ``venue`` (as sent: ``HlPerp``, ``BinPerp``, ``BybitPerp``),
            ``funding_rate`` (fraction per hour: what the venue pays at once, divided by its interval),
            ``interval_hours``, ``next_time`` (UTC). NaN and NaT where a venue does not list the coin; a rate
            is NaN too where its interval is not said.
        """
        return await self._ask(requests.plain("predictedFundings"), parse_predicted_fundings)

    def _note(self, dex: str, is_delisted: dict[str, bool]) -> None:
        assert self._session.stamp is not None  # of this very answer
        self._session.listings.note(dex, is_delisted, received_at=self._session.stamp.received_at)

    async def _first_id(self, dex: str) -> int:
        if not check_dex(dex):
            return 0
        known = _first_ids(self._session.dexs)
        if dex not in known:
            known = _first_ids(await self.perp_dexs())
        if dex not in known:
            raise RequestRefused(f"the exchange has no dex {dex!r}: perp_dexs() says which it has")
        return known[dex]


def _first_ids(dexs: tuple[PerpDex, ...]) -> dict[str, int]:
    return {dex.name: dex.first_id for dex in dexs}
