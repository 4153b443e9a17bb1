"""The requests of ``POST /info`` this package sends, each with its weight."""

from dataclasses import dataclass

from hlpairs_core.exceptions import InputError
from hlpairs_core.exchange.weights import WEIGHTS
from hlpairs_core.intervals import interval_duration

__all__ = [
    "CANDLES_AT_MOST",
    "FUNDING_PAGE",
    "InfoRequest",
    "all_mids",
    "candle_snapshot",
    "funding_history",
    "l2_book",
    "meta",
    "meta_and_contexts",
    "of_user",
    "plain",
    "recent_trades",
]

CANDLES_AT_MOST = 5000
FUNDING_PAGE = 500
_HOUR_MS = 3_600_000
_TRADES_AT_MOST = 30
# Five thousand candles, the largest answer there is, are less than a fourth of it.
_LARGEST_BODY = 4 * 2**20


@dataclass(frozen=True)
class InfoRequest:
    """One request.

    Attributes
    ----------
    label : str
        For messages, such as ``candleSnapshot BTC 1h``.
    body : dict
        What is sent, as JSON.
    rows_expected : int
        The most rows the answer can have; rows weigh extra for some requests.
    largest_body : int
        An answer of more bytes (decompressed) is refused.
    """

    label: str
    body: dict[str, object]
    rows_expected: int = 0
    largest_body: int = _LARGEST_BODY

    @property
    def endpoint(self) -> str:
        """The type of the request."""
        return str(self.body["type"])

    def weight(self, rows: int) -> int:
        """Return the weight of this request with an answer of `rows` rows."""
        return WEIGHTS[self.endpoint].of(rows)


def meta(dex: str = "") -> InfoRequest:
    """Ask for the universe of a dex; the main one has no name."""
    return _of_dex("meta", dex)


def meta_and_contexts(dex: str = "") -> InfoRequest:
    """Ask for the universe of a dex and what the exchange says of each coin now."""
    return _of_dex("metaAndAssetCtxs", dex)


def all_mids(dex: str = "") -> InfoRequest:
    """Ask for all mid prices of a dex; those of the spot pairs come with the main one's."""
    return _of_dex("allMids", dex)


def _of_dex(kind: str, dex: str) -> InfoRequest:
    if not dex:
        return InfoRequest(kind, {"type": kind})
    return InfoRequest(f"{kind} {dex}", {"type": kind, "dex": dex})


def plain(kind: str) -> InfoRequest:
    """Ask a question that takes no argument: ``perpDexs``, ``predictedFundings``, ``spotMeta`` and the like."""
    return InfoRequest(kind, {"type": kind})


def of_user(kind: str, address: str) -> InfoRequest:
    """Ask about an account: ``userFees``, ``userRateLimit``.

    The label goes into errors, logs and the status of the engine, where the address has no business.
    """
    return InfoRequest(kind, {"type": kind, "user": address})


def recent_trades(coin: str) -> InfoRequest:
    """Ask for a coin's last trades."""
    body: dict[str, object] = {"type": "recentTrades", "coin": coin}
    return InfoRequest(f"recentTrades {coin}", body, rows_expected=_TRADES_AT_MOST)


def candle_snapshot(coin: str, interval: str, first: int, last: int) -> InfoRequest:
    """Ask for candles between two times (ms since 1970)."""
    step = int(interval_duration(interval).total_seconds() * 1000)
    body: dict[str, object] = {"coin": coin, "interval": interval, "startTime": first, "endTime": last}
    return InfoRequest(
        f"candleSnapshot {coin} {interval}",
        {"type": "candleSnapshot", "req": body},
        rows_expected=min(CANDLES_AT_MOST, (last - first) // step + 2),
    )


def funding_history(coin: str, first: int, last: int | None) -> InfoRequest:
    """Ask for one page of funding payments between two times (ms since 1970; None is now)."""
    body: dict[str, object] = {"type": "fundingHistory", "coin": coin, "startTime": first}
    rows = FUNDING_PAGE
    if last is not None:
        body["endTime"] = last
        rows = min(FUNDING_PAGE, (last - first) // _HOUR_MS + 2)
    return InfoRequest(f"fundingHistory {coin}", body, rows_expected=rows)


def l2_book(coin: str, significant_figures: int | None, mantissa: int | None) -> InfoRequest:
    """Ask for an order book, aggregated or not.

    Raises
    ------
    InputError
        If the exchange has no such aggregation.
    """
    if significant_figures not in (None, 2, 3, 4, 5):
        raise InputError(f"significant_figures must be 2, 3, 4, 5 or None, got {significant_figures!r}")
    if mantissa not in (None, 1, 2, 5):
        raise InputError(f"mantissa must be 1, 2, 5 or None, got {mantissa!r}")
    if mantissa is not None and significant_figures != 5:
        raise InputError(f"mantissa needs significant_figures=5, got {significant_figures!r}")
    body: dict[str, object] = {"type": "l2Book", "coin": coin}
    if significant_figures is not None:
        body["nSigFigs"] = significant_figures
    if mantissa not in (None, 1):  # 1 is no coarsening, and some servers refuse it
        body["mantissa"] = mantissa
    return InfoRequest(f"l2Book {coin}", body)
