"""Calls about spot tokens and pairs."""

import pandas as pd

from hlpairs_core.exchange import requests
from hlpairs_core.exchange.session import InfoCalls
from hlpairs_core.exchange.spot import SpotMeta, parse_spot_contexts, parse_spot_meta

__all__ = ["SpotCalls"]

# Among the universes that were asked for; no dex has a colon in its name.
_SPOT = ":spot"


class SpotCalls(InfoCalls):
    """Part of `HyperliquidClient`."""

    async def spot_meta(self) -> SpotMeta:
        """Fetch all spot tokens and pairs."""
        return self._noted(await self._ask(requests.plain("spotMeta"), parse_spot_meta))

    async def spot_contexts(self) -> pd.DataFrame:
        """Fetch all spot pairs and what the exchange says of each now.

        Returns
        -------
        pandas.DataFrame, indexed by ``coin`` (the name on the wire, such as ``@107``)
            In the exchange's order: ``asset`` (the id in orders), ``base, quote`` (names of the tokens, as the
            exchange has them: ``UBTC``), ``size_decimals``, ``mark_price, mid_price, prev_day_price`` (in the
            quote token), ``day_notional`` (in the quote token), ``day_base_volume``, ``circulating_supply``,
            ``total_supply`` (base units). NaN where the exchange says null, or nothing of a pair.
            Contexts belong to pairs by name, never by position; that of a pair which is not listed is left out.
        """
        meta, frame = await self._ask(requests.plain("spotMetaAndAssetCtxs"), parse_spot_contexts)
        self._noted(meta)
        return frame

    def _noted(self, meta: SpotMeta) -> SpotMeta:
        self._session.listings.hold(_SPOT, (pair.coin for pair in meta.pairs))
        return meta
