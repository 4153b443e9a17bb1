import logging
from http import HTTPStatus
from typing import Any

from hlpairs_core.exceptions import InputError
from hlpairs_core.simulation.actions import refusal
from hlpairs_core.simulation.feed_block import Block
from hlpairs_core.simulation.feed_requests import Post
from hlpairs_core.simulation.feed_streams import frame
from hlpairs_core.simulation.handlers import answer
from hlpairs_core.simulation.limits import WeightMeter, action_weight, info_weight
from hlpairs_core.simulation.reply import Reply

__all__ = ["UNREADABLE", "post_answer"]

UNREADABLE = "Error parsing JSON into valid websocket request: "
"""What the exchange says of a message that it cannot read, before the message."""

logger = logging.getLogger(__name__)


def post_answer(block: Block, post: Post, meter: WeightMeter, address: str) -> str:
    """Return the message that answers a ``post`` request as of a block; it weighs what it would over REST."""
    weight = _weight(post, 0)
    if not meter.admit(address, weight):
        return _response(post, "error", _described(HTTPStatus.TOO_MANY_REQUESTS))
    try:
        reply = refusal(post.payload) if post.kind == "action" else answer(block.view, post.payload)
    except InputError:
        # The exchange forgets the id of what it cannot read.
        return frame("error", UNREADABLE + post.text)
    except Exception:
        # As over REST a defect costs the request, not the feed of everybody else.
        logger.exception("a post request failed: %.200s", post.text)
        reply = Reply(status=HTTPStatus.INTERNAL_SERVER_ERROR)
    meter.charge(address, _weight(post, reply.rows) - weight)
    if reply.status != HTTPStatus.OK:
        return _response(post, "error", _described(HTTPStatus(reply.status)))
    payload = {"type": post.payload["type"], "data": reply.payload} if post.kind == "info" else reply.payload
    return _response(post, post.kind, payload)


def _weight(post: Post, rows: int) -> int:
    return action_weight(post.payload) if post.kind == "action" else info_weight(post.payload, rows)


def _described(status: HTTPStatus) -> str:
    return f"{status.value} {status.phrase}"


def _response(post: Post, kind: str, payload: Any) -> str:
    return frame("post", {"id": post.id, "response": {"type": kind, "payload": payload}})
