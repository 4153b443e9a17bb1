"""Streams of an account. Nobody has deposited anything on a simulated exchange: every account is empty."""

from collections.abc import Callable
from functools import partial
from typing import Any

from hlpairs_core.simulation.feed_block import Block
from hlpairs_core.simulation.feed_requests import Subscription
from hlpairs_core.simulation.feed_streams import Events, FeedStream, States, frame

__all__ = ["ACCOUNT_KINDS", "account_stream"]

# Channels without a past: silent until something happens.
_SILENT = {"notification", "orderUpdates", "userEvents"}
# Channels that start with their past, by the name of the list in it.
_HISTORIES = {
    "userFills": "fills",
    "userFundings": "fundings",
    "userHistoricalOrders": "orderHistory",
    "userNonFundingLedgerUpdates": "nonFundingLedgerUpdates",
    "userTwapHistory": "history",
    "userTwapSliceFills": "twapSliceFills",
}


def account_stream(subscription: Subscription, *, every: float) -> FeedStream:
    """Return the stream of a subscription to an account, one of `ACCOUNT_KINDS`.

    Parameters
    ----------
    subscription : Subscription
        What is asked for.
    every : float
        Seconds between two messages of a state.
    """
    kind, user = subscription.kind, subscription.text("user")
    if kind in _SILENT:
        return Events()
    if kind in _HISTORIES:
        return Events(frame(kind, {"isSnapshot": True, "user": user, _HISTORIES[kind]: []}))
    return States(kind, partial(_STATES[kind], subscription), every=every)


def _asked(kind: str, subscription: Subscription, block: Block) -> Any:
    """What REST says of the account."""
    return block.info({**subscription.echo(), "type": kind})


def _of_dex(subscription: Subscription, block: Block, name: str, kind: str) -> dict[str, Any]:
    state = _asked(kind, subscription, block)
    return {"dex": subscription.text("dex"), "user": subscription.text("user"), name: state}


def _all_clearinghouses(subscription: Subscription, block: Block) -> dict[str, Any]:
    user = subscription.text("user")
    asked = {"type": "clearinghouseState", "user": user}
    return {"user": user, "clearinghouseStates": [[dex, block.info(asked | {"dex": dex})] for dex in block.dexes]}


def _twaps(subscription: Subscription, block: Block) -> dict[str, Any]:
    dex = subscription.text("dex")
    block.contexts(dex)
    return {"dex": dex, "user": subscription.text("user"), "states": []}


def _spot(subscription: Subscription, block: Block) -> dict[str, Any]:
    state = _asked("spotClearinghouseState", subscription, block)
    return {"user": subscription.text("user"), "spotState": state}


def _new_page(subscription: Subscription, block: Block) -> dict[str, Any]:
    state = {
        "agentAddress": None,
        "agentValidUntil": None,
        "cumLedger": "0.0",
        "serverTime": block.time_ms,
        "isVault": False,
        "user": subscription.text("user"),
    }
    return {"userState": state, "perpDexStates": [{"totalVaultEquity": "0.0"} for _ in block.dexes]}


_STATES: dict[str, Callable[[Subscription, Block], dict[str, Any]]] = {
    "activeAssetData": partial(_asked, "activeAssetData"),
    "allDexsClearinghouseState": _all_clearinghouses,
    "clearinghouseState": partial(_of_dex, name="clearinghouseState", kind="clearinghouseState"),
    "openOrders": partial(_of_dex, name="orders", kind="frontendOpenOrders"),
    "spotState": _spot,
    "twapStates": _twaps,
    "webData2": partial(_asked, "webData2"),
    "webData3": _new_page,
}

ACCOUNT_KINDS = frozenset(_SILENT | _HISTORIES.keys() | _STATES.keys())
"""Subscriptions to an account."""
