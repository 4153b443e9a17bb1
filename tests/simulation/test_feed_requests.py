import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hlpairs_core.exceptions import InputError
from hlpairs_core.simulation.feed_requests import Ping, Post, Subscription, Unsubscription, read_request

USER = "0xAbCdEf" + "0" * 34


def said(subscription: object, method: str = "subscribe") -> str:
    return json.dumps({"method": method, "subscription": subscription})


@pytest.mark.parametrize(
    ("sent", "echo"),
    [
        # The first three as recorded from the exchange; the defaults of the others were seen on it too.
        ({"type": "bbo", "coin": "BTC"}, '{"type": "bbo", "coin": "BTC"}'),
        (
            {"type": "candle", "coin": "HYPE", "interval": "1d"},
            '{"type": "candle", "interval": "1d", "coin": "HYPE"}',
        ),
        (
            {"type": "l2Book", "coin": "HYPE"},
            '{"type": "l2Book", "coin": "HYPE", "nSigFigs": null, "mantissa": null, "fast": false}',
        ),
        (
            {"mantissa": 2, "nSigFigs": 5, "fast": True, "coin": "BTC", "type": "l2Book"},
            '{"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "mantissa": 2, "fast": true}',
        ),
        ({"type": "allMids"}, '{"type": "allMids"}'),
        ({"type": "allMids", "dex": "xyz"}, '{"type": "allMids", "dex": "xyz"}'),
        ({"type": "assetCtxs"}, '{"type": "assetCtxs", "dex": ""}'),
        ({"type": "fastAssetCtxs", "whatever": 1}, '{"type": "fastAssetCtxs"}'),
        (
            {"type": "userFills", "user": USER},
            f'{{"type": "userFills", "user": "{USER.lower()}", "aggregateByTime": false}}',
        ),
        ({"type": "openOrders", "user": USER}, f'{{"type": "openOrders", "user": "{USER.lower()}", "dex": ""}}'),
        (
            {"type": "spotState", "user": USER, "isPortfolioMargin": True},
            f'{{"type": "spotState", "user": "{USER.lower()}", "ignorePortfolioMargin": false}}',
        ),
    ],
)
def test_a_subscription_is_repeated_with_defaults_and_in_the_order_of_the_exchange(sent: object, echo: str) -> None:
    request = read_request(said(sent))
    assert isinstance(request, Subscription)
    assert json.dumps(request.echo()) == echo


def test_subscriptions_that_mean_the_same_are_the_same() -> None:
    loose = read_request(said({"type": "l2Book", "coin": "BTC"}))
    strict = read_request(
        said({"coin": "BTC", "type": "l2Book", "fast": False, "mantissa": None, "nSigFigs": None}, "unsubscribe")
    )
    assert isinstance(strict, Unsubscription)
    assert strict.subscription == loose
    assert len({loose, strict.subscription}) == 1


def test_fields_that_nobody_knows_are_ignored() -> None:
    assert read_request('{"method":"ping","id":1}') == Ping()
    assert isinstance(
        read_request('{"id":"7","method":"unsubscribe","subscription":{"type":"allMids"}}'), Unsubscription
    )


def test_a_post_keeps_its_id_and_payload() -> None:
    text = '{"method":"post","id":0,"request":{"type":"info","payload":{"type":"meta"}}}'
    assert read_request(text) == Post(0, "info", {"type": "meta"}, text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("hello", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("9" * 5000, "not JSON"),
        ("[]", "must be a JSON object, got list"),
        ("null", "must be a JSON object"),
        ("{}", "unknown method None"),
        ('{"method":"hello"}', "unknown method 'hello'"),
        ('{"method":["ping"]}', "unknown method"),
        ('{"method":"subscribe"}', "`subscription` must be a JSON object"),
        (said([]), "`subscription` must be a JSON object"),
        (said({"type": "noSuchType", "coin": "BTC"}), "unknown subscription 'noSuchType'"),
        (said({"type": ["bbo"], "coin": "BTC"}), "unknown subscription"),
        (said({"type": "activeSpotAssetCtx", "coin": "@107"}), "unknown subscription"),
        (said({"type": "bbo"}), "`coin` is missing"),
        (said({"type": "bbo", "coin": None}), "`coin` is missing"),
        (said({"type": "bbo", "coin": ["BTC", "ETH"]}), "`coin` must be a string"),
        (said({"type": "candle", "coin": "BTC", "interval": 60}), "`interval` must be a string"),
        (said({"type": "l2Book", "coin": "BTC", "nSigFigs": "5"}), "`nSigFigs` must be a whole number"),
        (said({"type": "l2Book", "coin": "BTC", "nSigFigs": True}), "`nSigFigs` must be a whole number"),
        (said({"type": "l2Book", "coin": "BTC", "mantissa": -2}), "`mantissa` must be a whole number"),
        (said({"type": "l2Book", "coin": "BTC", "fast": 1}), "`fast` must be true or false"),
        (said({"type": "userFills", "user": "0x12"}), "`user` must be an address"),
        (said({"type": "userFills", "user": USER + "\n"}), "`user` must be an address"),
        ('{"method":"post","request":{"type":"info","payload":{}}}', "`id` must be a whole number"),
        ('{"method":"post","id":-1,"request":{"type":"info","payload":{}}}', "`id` must be a whole number"),
        ('{"method":"post","id":true,"request":{"type":"info","payload":{}}}', "`id` must be a whole number"),
        ('{"method":"post","id":1,"request":{"type":"explorer","payload":{}}}', "`request` must have a `type`"),
        ('{"method":"post","id":1,"request":{"type":["info"],"payload":{}}}', "`request` must have a `type`"),
        ('{"method":"post","id":1,"request":{"type":"info"}}', "`payload`"),
        ('{"method":"post","id":1,"request":"info"}', "`request`"),
    ],
)
def test_what_is_no_request_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        read_request(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "method": st.sampled_from(["subscribe", "unsubscribe", "post", "ping"]) | json_values,
            "id": json_values,
            "request": json_values,
            "subscription": st.fixed_dictionaries(
                {"type": st.sampled_from(["bbo", "candle", "l2Book", "userFills", "allMids"]) | json_values},
                optional=dict.fromkeys(("coin", "interval", "nSigFigs", "fast", "user", "dex"), json_values),
            ),
        },
    )
    | json_values
)
def test_whatever_json_comes_is_read_or_refused(message: object) -> None:
    try:
        request = read_request(json.dumps(message))
    except InputError:
        return
    assert isinstance(request, Ping | Post | Subscription | Unsubscription)
    if isinstance(request, Subscription):
        assert read_request(said(request.echo())) == request
