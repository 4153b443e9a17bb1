import time
from collections.abc import Callable

import pandas as pd

from hlpairs_core.engine.state import State
from hlpairs_core.exchange import HyperliquidClient, Priority

__all__ = ["Contexts", "by_liquidity"]

CONTEXT_SECONDS = 60.0
# Of what the exchange says of a coin, what a tick is tagged with.
TAGS = ["mark_price", "funding_rate"]


def by_liquidity(contexts: pd.DataFrame) -> list[str]:
    """Return the listed coins, those with the largest notional of the day first; delisted ones left out."""
    live = contexts[~contexts["is_delisted"]]
    return list(live["day_notional_usd"].fillna(0.0).sort_values(ascending=False, kind="stable").index)


class Contexts:
    """Which coins there are and what the exchange says of each, asked anew each minute and when a bar closes.

    Parameters
    ----------
    client : HyperliquidClient
        Where to ask.
    state : State
        Whose market clock follows the answers.
    clock : callable
        Wall time, seconds since the epoch.

    Attributes
    ----------
    frame : pandas.DataFrame or None
        The newest answer, see `HyperliquidClient.contexts`; None before the first.
    """

    def __init__(self, client: HyperliquidClient, *, state: State, clock: Callable[[], float] = time.time) -> None:
        self._client, self._state, self._clock = client, state, clock
        self._asked_at = 0.0
        self.frame: pd.DataFrame | None = None

    @property
    def is_stale(self) -> bool:
        """Whether they are a minute old, or of a time that the wall clock has not reached yet: it was set back."""
        return not 0 <= self._clock() - self._asked_at < CONTEXT_SECONDS

    async def refresh(self, priority: Priority = Priority.NORMAL) -> pd.Timestamp:
        """Ask; return the market time of the answer.

        Raises
        ------
        ExchangeError
            If no usable answer came, or one of another market.
        """
        client = self._client.at(priority)
        frame = await client.contexts()
        assert client.stamp is not None
        self._state.hear(client.stamp)
        self.frame, self._asked_at = frame, self._clock()
        self._tag(frame)
        return client.stamp.time

    def listed(self) -> list[str]:
        """Return the coins that trade, most liquid first; none before the first answer."""
        return [] if self.frame is None else by_liquidity(self.frame)

    def delisted(self) -> frozenset[str]:
        """Return the coins that do not trade any more; none before the first answer."""
        return frozenset() if self.frame is None else frozenset(self.frame.index[self.frame["is_delisted"]])

    def traded(self, least_usd: float) -> list[str]:
        """Return those that trade at least so much a day (USD)."""
        if self.frame is None:
            return []
        enough = self.frame["day_notional_usd"] >= least_usd
        return [coin for coin in self.listed() if enough[coin]]

    def _tag(self, frame: pd.DataFrame) -> None:
        """Let ticks know what they are tagged with, and only coins that are listed have any."""
        listed = by_liquidity(frame)
        self._state.ticks.keep_only(listed)
        self._state.seconds.follow(listed)
        for coin, values in frame.loc[listed, TAGS].to_dict("index").items():
            self._state.ticks.take_context(coin, values)
