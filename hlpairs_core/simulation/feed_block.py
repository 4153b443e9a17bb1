from collections.abc import Mapping
from functools import cached_property
from typing import Any, TypeAlias

from hlpairs_core.exceptions import InputError
from hlpairs_core.simulation.book import best_levels
from hlpairs_core.simulation.handlers import answer
from hlpairs_core.simulation.spot import is_stand_in
from hlpairs_core.simulation.view import MarketView

__all__ = ["Block", "Touch"]

Touch: TypeAlias = tuple[float, float, int, float, float, int]
"""Price, size and number of orders of the best bid, then of the best ask."""


class Block:
    """One look at the market, from which everything that is sent at its time is made.

    What several subscriptions need is made once. All of it is what REST answers at the same time.

    Parameters
    ----------
    view : MarketView
        The look.
    """

    def __init__(self, view: MarketView) -> None:
        self.view = view
        self._contexts: dict[str, dict[str, dict[str, Any]]] = {}

    @property
    def time_ms(self) -> int:
        """Market time, milliseconds since the epoch."""
        return self.view.time_ms

    def info(self, request: Mapping[str, Any]) -> Any:
        """Return what ``POST /info`` would answer.

        Raises
        ------
        InputError
            If it would refuse.
        """
        reply = answer(self.view, dict(request))
        if reply.status != 200:
            raise InputError(f"{request.get('type')} is answered with status {reply.status}")
        return reply.payload

    def coin(self, name: str) -> int:
        """Return the number of a coin that is listed by now.

        Raises
        ------
        InputError
            If none has this name.
        """
        if name not in self.view.names:
            raise InputError(f"unknown coin {name!r}")
        return self.view.names[name]

    def is_stand_in(self, name: str) -> bool:
        """Whether it is the spot pair that a market without any shows to clients: listed, and never traded."""
        return is_stand_in(self.view, name)

    def is_spot(self, name: str) -> bool:
        """Whether a coin is a spot pair.

        Raises
        ------
        InputError
            If no coin has this name.
        """
        return self.is_stand_in(name) or self.view.market.coins[self.coin(name)].kind == "spot"

    @cached_property
    def touches(self) -> list[Touch | None]:
        """Best bid and ask of each coin of the market; None without a book."""
        bid, ask = (best_levels(self.view, asks=side) for side in (False, True))
        columns = (bid.price, bid.size, bid.orders, ask.price, ask.size, ask.orders)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return [row if row[0] == row[0] else None for row in rows]

    @cached_property
    def _traded(self) -> list[float]:
        return self.view.traded.tolist()  # type: ignore[no-any-return]

    def progress(self, coin: int) -> tuple[int, float]:
        """Return a mark that changes with every trade of a coin."""
        return self.view.bar, self._traded[coin]

    @cached_property
    def dexes(self) -> tuple[str, ...]:
        """Names of the dexes, the exchange's own (empty) first."""
        return tuple("" if dex is None else dex["name"] for dex in self.info({"type": "perpDexs"}))

    def contexts(self, dex: str) -> dict[str, dict[str, Any]]:
        """Return the contexts of a dex's perpetuals by coin, in the order of its universe."""
        if dex not in self._contexts:
            meta, contexts = self.info({"type": "metaAndAssetCtxs", "dex": dex})
            names = (entry["name"] for entry in meta["universe"])
            self._contexts[dex] = dict(zip(names, contexts, strict=True))
        return self._contexts[dex]

    def context(self, name: str) -> dict[str, Any]:
        """Return the context of a coin of whatever kind.

        Raises
        ------
        InputError
            If no coin has this name.
        """
        if self.is_spot(name):
            return self.spot_contexts[name]
        return self.contexts(self.view.market.coins[self.coin(name)].dex)[name]

    @cached_property
    def spot_contexts(self) -> dict[str, dict[str, Any]]:
        """Contexts of the spot pairs by coin."""
        return {context["coin"]: context for context in self.info({"type": "spotMetaAndAssetCtxs"})[1]}

    @cached_property
    def prices(self) -> dict[str, dict[str, Any]]:
        """Mark and mid of everything that is traded, by coin."""
        parts = [*(self.contexts(dex) for dex in self.dexes), self.spot_contexts]
        return {
            name: {"markPx": context["markPx"], "midPx": context["midPx"]}
            for part in parts
            for name, context in part.items()
        }
