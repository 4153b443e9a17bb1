from hashlib import blake2b
from typing import Any

from hlpairs_core.simulation.tape import Tape
from hlpairs_core.simulation.wire import numbers

__all__ = ["trade_rows"]


def trade_rows(name: str, tape: Tape) -> list[dict[str, Any]]:
    """Return a coin's trades as the exchange sends them, in the order of the tape.

    Hashes and addresses are made up: the same for the same trade, whichever way it is asked for.
    """
    columns = zip(
        tape.is_buy.tolist(),
        numbers(tape.price),
        numbers(tape.size),
        tape.time_ms.tolist(),
        tape.tid.tolist(),
        strict=True,
    )
    return [_row(name, is_buy, price, size, time, tid) for is_buy, price, size, time, tid in columns]


def _row(name: str, is_buy: bool, price: str, size: str, time: int, tid: int) -> dict[str, Any]:
    digest = blake2b(f"{name}/{tid}".encode(errors="replace"), digest_size=32).hexdigest()
    return {
        "coin": name,
        "side": "B" if is_buy else "A",
        "px": price,
        "sz": size,
        "time": time,
        "hash": f"0x{digest}",
        "tid": tid,
        "users": [f"0x{digest[:40]}", f"0x{digest[24:]}"],
    }
