"""What is sent back to a request."""

import json
from functools import cached_property
from typing import Any

__all__ = ["NOT_FOUND", "Reply"]


class Reply:
    """An answer, made from what it says or from JSON that says it; the other is made when somebody asks for it.

    Parameters
    ----------
    payload : object
        What it says: anything that becomes JSON.
    body : str, optional
        The JSON, where it is there already.
    status : int
        Of HTTP.
    rows : int
        Rows that a request's weight counts: candles, funding payments, trades.
    """

    def __init__(self, payload: Any = None, *, body: str | None = None, status: int = 200, rows: int = 0) -> None:
        self.status = status
        self.rows = rows
        if body is None:
            self.payload = payload
        else:
            self.body = body

    @cached_property
    def payload(self) -> Any:
        """What it says."""
        return json.loads(self.body)

    @cached_property
    def body(self) -> str:
        """The JSON that goes over the wire."""
        return json.dumps(self.payload, separators=(",", ":"), allow_nan=False)


NOT_FOUND = Reply(status=500)
"""The exchange's answer to candles or funding of a coin it does not list: a server error without words."""
