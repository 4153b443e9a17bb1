"""The reading side of the engine; light enough for a visitor's kernel (no scipy, statsmodels or arch)."""

import io
import json
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any, Self, cast

import httpx

from hlpairs_core.engine.payload import TopPayload
from hlpairs_core.engine.track_record import TrackRecord
from hlpairs_core.exceptions import EngineError, EngineUnreachable, InputError, UnknownPair

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EngineClient"]

# The engine may have to wait for its turn in the exchange's weight budget.
FETCH_SECONDS = 180.0
PAIR_HISTORY = "/pairs/history"
FETCHED = ("/candles", "/funding", "/books")


class EngineClient:
    """Reads a running engine.

    Parameters
    ----------
    url : str
        Address of the engine, for example ``http://127.0.0.1:40123``.
    token : str, optional
        Read token; needed only where the engine listens beyond loopback.
    timeout_seconds : float
        Limit of one request; what may have to be fetched from the exchange has three minutes.
    transport : httpx.BaseTransport, optional
        Where requests go; tests hand in a mock.

    Raises
    ------
    EngineUnreachable
        By every method, when no engine answers.
    EngineError
        When it answers, but refuses.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout_seconds: float = 10.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._timeout = timeout_seconds
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        # The engine is on this machine: a proxy from the environment has no part in it.
        self._http = httpx.Client(
            base_url=self.url,
            headers=self._headers,
            timeout=timeout_seconds,
            transport=transport,
            trust_env=False,
        )

    def __repr__(self) -> str:
        return f"EngineClient({self.url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the engine goes on. Idempotent."""
        self._http.close()

    def top(self) -> TopPayload:
        """Return the newest answer: verdict, selected pair, runners-up (see `hlpairs_core.engine.payload`)."""
        return cast("TopPayload", self._json("/pairs/top"))

    def history(self, window: str = "15m") -> list[dict[str, Any]]:
        """Return the snapshots of the last `window` (such as ``"15m"`` or ``"2h"``) of wall time, oldest first."""
        return cast("list[dict[str, Any]]", self._json("/pairs/top/history", window=window)["snapshots"])

    def pair_history(self, y: str, x: str, since: "pd.Timestamp | str | None" = None) -> "pd.DataFrame":
        """Return what each screen found of a pair, oldest first.

        Parameters
        ----------
        y, x : str
            Its coins, in either order. In which one a screen tested them, its row says.
        since : time with a zone, optional
            Only bars that closed then or later.

        Returns
        -------
        DataFrame
            The columns of `hlpairs_core.store.ScreenHistory.pair`: times, ``y, x``, p, q, t and z, β, half-life,
            expected reversion, costs and net edge, and the gates that the pair failed.

        Raises
        ------
        InputError
            If both are the same coin, or `since` is no time with a zone.
        UnknownPair
            If no screen that is kept has tested the pair, or listed a coin.
        """
        return self._table(PAIR_HISTORY, y=y, x=x, **({} if since is None else {"since": str(since)}))

    def scorecard(self) -> TrackRecord:
        """Return what was said of closed bars here against what came of it (see `hlpairs_core.engine.track_record`)."""
        return cast("TrackRecord", self._json("/scorecard"))

    def scorecard_rows(self, since: "pd.Timestamp | str | None" = None) -> "pd.DataFrame":
        """Return every answer of a closed bar and its outcome, oldest first.

        Parameters
        ----------
        since : time with a zone, optional
            Only bars that closed then or later.

        Returns
        -------
        DataFrame
            The columns of `hlpairs_core.store.read_scorecard`.

        Raises
        ------
        InputError
            If `since` is no time with a zone.
        """
        return self._table("/scorecard/rows", **({} if since is None else {"since": str(since)}))

    def health(self) -> dict[str, Any]:
        """Return whether the engine works, and what is wrong if it does not."""
        return cast("dict[str, Any]", self._json("/health", ok=(200, 503)))

    def status(self) -> dict[str, Any]:
        """Return what the engine holds and does."""
        return cast("dict[str, Any]", self._json("/status"))

    def candles(
        self, coins: Iterable[str] | None = None, *, bars: int = 337, interval: str | None = None
    ) -> "pd.DataFrame":
        """Return closed candles: ``coin, time`` (open, UTC), ``open, high, low, close`` (USD), ``volume``.

        Parameters
        ----------
        coins : iterable of str, optional
            Perpetuals. Their candles are all there: what the store lacks is fetched, which may take a minute. Default:
            of every perpetual what the store holds, and nothing is fetched.
        bars : int
            How many of the newest closed bars, 1 to 5000; the exchange keeps no more.
        interval : str, optional
            Such as ``"5m"``; default: the one that is screened.

        Raises
        ------
        InputError
            If a coin or interval is unknown, or more is missing than one request may ask the exchange for.
        EngineError
            If what is missing could not be fetched.
        """
        return self._frame("/candles", coins, bars=bars, **_given(interval))

    def funding(
        self, coins: Iterable[str] | None = None, *, bars: int = 337, interval: str | None = None
    ) -> "pd.DataFrame":
        """Return settled funding stamped inside the newest closed bars: ``coin, time, funding_rate, premium``.

        Rates are fractions per hour, times as the exchange sends them. Parameters and errors are those of `candles`.
        """
        return self._frame("/funding", coins, bars=bars, **_given(interval))

    def universe(self) -> "pd.DataFrame":
        """Return what the exchange says of each coin, by coin and at most a minute old; delisted coins too."""
        return self._frame("/universe", None).set_index("coin")

    def ticks(self, coins: Iterable[str] | None = None) -> "pd.DataFrame":
        """Return the newest of each coin that trades: ``coin, time, bid, bid_size, ask, ask_size, mid, mark_price,
        funding_rate``, as `hlpairs_core.market.tick_book.Tick` has them.
        """
        return self._frame("/ticks", coins)

    def seconds(self, coins: Iterable[str] | None = None) -> "pd.DataFrame":
        """Return the one-second bars of the mids of the last 15 minutes: ``coin, time`` (wall), ``open … close``."""
        return self._frame("/seconds", coins)

    def books(self, coins: Iterable[str] | None = None) -> dict[str, dict[str, Any]]:
        """Return order books by coin: ``time, bids, asks``; levels are (price, size), best first.

        Parameters
        ----------
        coins : iterable of str, optional
            Their books, at most some seconds old. Default: those that the last selection was priced with.

        Raises
        ------
        InputError
            If a coin is unknown, or more than 100 are named.
        EngineError
            If a book could not be fetched.
        """
        return cast("dict[str, dict[str, Any]]", self._json("/books", **_named(coins)))

    async def subscribe(self) -> AsyncIterator[TopPayload]:
        """Yield every answer as the engine sends it, the present one first.

        Raises
        ------
        EngineUnreachable
            When the engine cannot be reached or goes away; call again to reconnect.
        """
        import websockets

        address = "ws" + self.url.removeprefix("http") + "/ws/top"
        try:
            async with websockets.connect(
                address, additional_headers=self._headers, max_size=2**24, proxy=None, ping_interval=20
            ) as socket:
                async for message in socket:
                    yield self._answer(message)
        except (OSError, TimeoutError, websockets.WebSocketException) as error:
            raise EngineUnreachable(self._unreachable(error)) from error
        raise EngineUnreachable(self._unreachable("it closed the connection"))

    def _answer(self, message: str | bytes) -> TopPayload:
        try:
            return cast("TopPayload", json.loads(message))
        except ValueError as error:
            raise EngineError(f"what answers at {self.url} is no engine: {message[:80]!r}") from error

    def _unreachable(self, cause: object) -> str:
        return f"the engine at {self.url} does not answer ({cause}): start it with `hlpairs engine`"

    def _get(self, path: str, ok: tuple[int, ...] = (200,), **params: Any) -> httpx.Response:
        slow = max(FETCH_SECONDS, self._timeout) if path in FETCHED else self._timeout
        try:
            response = self._http.get(path, params=params, timeout=slow)
        except httpx.HTTPError as error:
            raise EngineUnreachable(self._unreachable(error)) from error
        if response.status_code == 404 and path == PAIR_HISTORY:
            raise UnknownPair(response.text.strip())
        if response.status_code == 400:
            raise InputError(response.text.strip())
        if response.status_code not in ok:
            raise EngineError(f"the engine refused {path}: {response.status_code} {response.text.strip()[:200]}")
        return response

    def _json(self, path: str, ok: tuple[int, ...] = (200,), **params: Any) -> Any:
        response = self._get(path, ok, **params)
        try:
            return response.json()
        except ValueError as error:
            raise EngineError(f"what answers {path} at {self.url} is no engine: {response.text[:80]!r}") from error

    def _frame(self, path: str, coins: Iterable[str] | None, **params: Any) -> "pd.DataFrame":
        return self._table(path, **_named(coins), **params)

    def _table(self, path: str, **params: Any) -> "pd.DataFrame":
        import pandas as pd

        content = self._get(path, **params).content
        try:
            return pd.read_parquet(io.BytesIO(content))
        except (ValueError, OSError) as error:  # pyarrow's errors are among them
            raise EngineError(f"what answers {path} at {self.url} is no engine: {content[:80]!r}") from error


def _named(coins: Iterable[str] | None) -> dict[str, Any]:
    return {} if coins is None else {"coins": json.dumps(list(coins))}


def _given(interval: str | None) -> dict[str, Any]:
    return {} if interval is None else {"interval": interval}
