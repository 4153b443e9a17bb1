"""Subscriptions as the wire writes them."""

from typing import get_args

from hlpairs_core.exceptions import InputError
from hlpairs_core.exchange.arguments import check_coin
from hlpairs_core.exchange.events import Channel, Subscription
from hlpairs_core.intervals import interval_duration

__all__ = ["CHANNELS", "check_subscription", "from_wire", "request", "to_wire"]

CHANNELS: dict[str, Channel] = {channel: channel for channel in get_args(Channel)}


def check_subscription(subscription: Subscription) -> None:
    """Check that a subscription can be written on the wire; not whether its coin is listed.

    Raises
    ------
    InputError
        If a field has a value it cannot have, or one that its channel does not take.
    """
    channel = subscription.channel
    if channel not in CHANNELS:
        raise InputError(f"unknown channel {channel!r}: use one of {', '.join(CHANNELS)}")
    if channel == "allMids":
        if subscription.coin:
            raise InputError(f"allMids takes no coin, got {subscription.coin!r}")
    else:
        check_coin(subscription.coin)
    if channel == "candle":
        interval_duration(subscription.interval)
    elif subscription.interval:
        raise InputError(f"{channel} takes no interval, got {subscription.interval!r}")
    if subscription.fast and channel != "l2Book":
        raise InputError(f"{channel} cannot be fast: only l2Book can")


def to_wire(subscription: Subscription) -> dict[str, object]:
    """Return the object that stands for a subscription on the wire."""
    fields: dict[str, object] = {"type": subscription.channel}
    if subscription.coin:
        fields["coin"] = subscription.coin
    if subscription.interval:
        fields["interval"] = subscription.interval
    if subscription.fast:
        fields["fast"] = True
    return fields


def from_wire(value: object) -> Subscription | None:
    """Read the exchange's echo of a subscription: its keys in any order, with defaults filled in.

    Returns
    -------
    Subscription or None
        None where it is none of ours.
    """
    if not isinstance(value, dict):
        return None
    channel = CHANNELS.get(value["type"]) if isinstance(value.get("type"), str) else None
    coin, interval = value.get("coin") or "", value.get("interval") or ""
    if channel is None or not isinstance(coin, str) or not isinstance(interval, str):
        return None
    return Subscription(channel, coin, interval, fast=value.get("fast") is True)


def request(method: str, subscription: Subscription) -> dict[str, object]:
    """Return the message that subscribes or unsubscribes, by `method`."""
    return {"method": method, "subscription": to_wire(subscription)}
