"""What the feed says to a message of a client."""

import json

from hlpairs_core.exceptions import InputError
from hlpairs_core.simulation.feed import Feed, FeedClient
from hlpairs_core.simulation.feed_posts import UNREADABLE
from hlpairs_core.simulation.feed_requests import Ping, Post, Subscription, Unsubscription, read_request
from hlpairs_core.simulation.feed_streams import frame

__all__ = ["PONG", "respond"]

PONG = '{"channel":"pong"}'

# Asked for a coin it does not list, the exchange drops the connection here and answers elsewhere.
_DROPPED = frozenset({"bbo", "l2Book", "trades"})
# Its documents say ten users; this text is what it sends.
_TOO_MANY_USERS = "Cannot track more than 15 total users."


def respond(feed: Feed, client: FeedClient, text: str) -> None:
    """Do what a client asks for, or say why not."""
    heard = feed.meter.hears(client.address)
    try:
        request = read_request(text)
    except InputError:
        request = None
    if isinstance(request, Ping):
        client.transmit(PONG)
    elif not heard:
        return
    elif request is None:
        _refuse(client, UNREADABLE + text)
    elif isinstance(request, Post):
        _post(feed, client, request)
    elif isinstance(request, Unsubscription):
        _unsubscribe(feed, client, request.subscription)
    else:
        _subscribe(feed, client, request)


def _subscribe(feed: Feed, client: FeedClient, subscription: Subscription) -> None:
    if feed.has(client, subscription):
        _refuse(client, f"Already subscribed: {_written(subscription)}")
        return
    excess = _excess(feed, client, subscription)
    if excess is None:
        _start(feed, client, subscription)
    else:
        _refuse(client, excess)


def _excess(feed: Feed, client: FeedClient, subscription: Subscription) -> str | None:
    """What a client's address would have too many of; None within the limits."""
    limits = feed.settings.limits
    if limits is None:
        return None
    held = feed.subscriptions(client.address)
    if len(held) >= limits.subscriptions:
        return f"Cannot subscribe to more than {limits.subscriptions} channels."
    user = subscription.get("user")
    if user is not None:
        users = {other.get("user") for other in held} - {None, user}
        if len(users) >= limits.users:
            return _TOO_MANY_USERS
    return None


def _start(feed: Feed, client: FeedClient, subscription: Subscription) -> None:
    try:
        messages = feed.subscribe(client, subscription)
    except InputError as error:
        if subscription.kind in _DROPPED:
            client.drop(str(error))
        else:
            _refuse(client, f"Invalid subscription {_written(subscription)}")
        return
    _acknowledge(client, "subscribe", subscription)
    for message in messages:
        client.transmit(message)


def _unsubscribe(feed: Feed, client: FeedClient, subscription: Subscription) -> None:
    if not feed.has(client, subscription):
        _refuse(client, f"Already unsubscribed: {_written(subscription)}")
        return
    feed.unsubscribe(client, subscription)
    _acknowledge(client, "unsubscribe", subscription)


def _post(feed: Feed, client: FeedClient, request: Post) -> None:
    limits = feed.settings.limits
    if limits is not None and feed.waiting(client.address) >= limits.posts:
        _refuse(client, f"too many pending post requests id={request.id}")
    else:
        feed.post(client, request)


def _acknowledge(client: FeedClient, method: str, subscription: Subscription) -> None:
    client.transmit(frame("subscriptionResponse", {"method": method, "subscription": subscription.echo()}))


def _refuse(client: FeedClient, reason: str) -> None:
    client.transmit(frame("error", reason))


def _written(subscription: Subscription) -> str:
    return json.dumps(subscription.echo(), separators=(",", ":"))
