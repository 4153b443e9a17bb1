import json
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mixed_market import NOW_MS, REQUEST, hand_made_market

from hlpairs_core.exceptions import InputError
from hlpairs_core.simulation import SimulatedExchange
from hlpairs_core.simulation.actions import refusal
from hlpairs_core.simulation.handlers import INFO_TYPES, answer
from hlpairs_core.simulation.view import MarketView

MALFORMED = "Failed to deserialize the JSON body into the target type"
VIEW = MarketView.at(hand_made_market(), NOW_MS)

SIGNED: dict[str, Any] = {
    "action": {"type": "order", "orders": [], "grouping": "na"},
    "nonce": NOW_MS,
    "signature": {"r": "0x1f", "s": "0x" + "2" * 64, "v": 27},
    "vaultAddress": None,
    "expiresAfter": None,
}

texts = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["<script>alert(1)</script>", "../../etc/passwd", "\0", "\ud800", "@", "@-1", "xyz:", ":", "１"]),
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(-(2**70), 2**70) | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@given(
    kind=st.sampled_from(INFO_TYPES) | texts,
    changed=st.dictionaries(st.sampled_from([*REQUEST, "endTime", "nSigFigs", "mantissa", "aggregateByTime"]), values),
    dropped=st.sets(st.sampled_from(list(REQUEST)), max_size=2),
    inner=st.dictionaries(st.sampled_from(list(REQUEST["req"])), values, max_size=2),
)
@settings(max_examples=400, deadline=None)
def test_whatever_is_asked_is_answered_or_refused(
    kind: str, changed: dict[str, Any], dropped: set[str], inner: dict[str, Any]
) -> None:
    request = REQUEST | {"type": kind, "req": REQUEST["req"] | inner} | changed
    for key in dropped:
        request.pop(key)
    try:
        reply = answer(VIEW, request)
    except InputError:
        return
    assert kind in INFO_TYPES
    assert (reply.status, reply.body) == (500, "null") or reply.status == 200
    assert json.loads(reply.body) == reply.payload


@given(request=values | st.fixed_dictionaries({"type": values}))
def test_whatever_else_is_sent_is_answered_or_refused(request: Any) -> None:
    try:
        answer(VIEW, request)
    except InputError:
        return
    assert request["type"] in INFO_TYPES


@given(
    changed=st.dictionaries(st.sampled_from(list(SIGNED)), values),
    signature=st.dictionaries(st.sampled_from(["r", "s", "v"]), values, max_size=1),
)
def test_whatever_action_is_sent_is_refused(changed: dict[str, Any], signature: dict[str, Any]) -> None:
    request = SIGNED | {"signature": SIGNED["signature"] | signature} | changed
    try:
        reply = refusal(request)
    except InputError:
        return
    assert reply.payload["status"] == "err"


def test_every_type_answers_the_request_that_the_others_are_made_from() -> None:
    for kind in INFO_TYPES:
        assert answer(VIEW, REQUEST | {"type": kind}).status == 200, kind
    assert refusal(SIGNED).status == 200


@pytest.mark.parametrize("path", ["/info", "/exchange"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"meta"',
        b"{",
        b'{"type":"meta"',
        b"\xff\xfe\x00",
        b"[" * 60_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"type":' + b"9" * 5_000 + b"}",
        b'{"type":"meta","dex":NaN}',
        b'{"type":"clearinghouseState","user":"0x12"}',
        b'{"type":"fundingHistory","coin":"BTC","startTime":18446744073709551616}',
        b'{"action":{"type":"order"},"nonce":1}',
        b'{"action":{"type":"order"},"nonce":-1,"signature":{"r":"0x1","s":"0x2","v":27}}',
        b'{"action":{"type":"order"},"nonce":1,"signature":{"r":"0x1","s":"0x2","v":3}}',
        b'{"action":{"type":"order"},"nonce":1,"signature":{"r":"1","s":"0x2","v":27}}',
        b'{"action":{},"nonce":1,"signature":{"r":"0x1","s":"0x2","v":27}}',
        b'{"action":{"type":"x"},"nonce":1,"signature":{"r":"0x1","s":"0x2","v":27},"vaultAddress":"me"}',
        b'{"action":{"type":"x"},"nonce":1,"signature":{"r":"0x1","s":"0x2","v":27},"expiresAfter":"soon"}',
    ],
    ids=lambda body: body[:30].decode(errors="replace"),
)
async def test_a_malformed_body_gets_the_exchanges_sentence(path: str, body: bytes) -> None:
    async with SimulatedExchange(hand_made_market()) as exchange, httpx.AsyncClient() as client:
        reply = await client.post(f"{exchange.base_url}{path}", content=body)
    assert (reply.status_code, reply.text) == (422, MALFORMED)
    assert reply.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("coin", ["<img src=x>", "../../etc/passwd", "BTC\x00", "\ud800", "", "btc", "xyz:", "@107 "])
@pytest.mark.parametrize(
    ("kind", "status"), [("l2Book", 200), ("recentTrades", 500), ("candleSnapshot", 500), ("fundingHistory", 500)]
)
async def test_a_strange_coin_is_one_that_is_not_listed(coin: str, kind: str, status: int) -> None:
    body = {"type": kind, "coin": coin, "startTime": 0, "req": {"coin": coin, "interval": "1h", "startTime": 0}}
    async with SimulatedExchange(hand_made_market()) as exchange, httpx.AsyncClient() as client:
        reply = await client.post(f"{exchange.base_url}/info", content=json.dumps(body))
    assert (reply.status_code, reply.text) == (status, "null")
