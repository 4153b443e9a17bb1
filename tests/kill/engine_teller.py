"""The engine as ``hlpairs engine`` runs it, which also says on its standard output what it has stored.

``python engine_teller.py ARGUMENTS`` takes the arguments of ``hlpairs engine``. Its lines are
``candles-1h "BTC" [times]`` (milliseconds since 1970), ``verdict - [time]``, ``screen - [time]`` and the engine's own
URL.
"""

import json
import logging
import sys

import pandas as pd

from hlpairs_core.cli import main

__all__ = ["lines_of"]


def lines_of(record: logging.LogRecord) -> list[str]:
    """Return what a record of the engine's log says was stored, by coin."""
    if hasattr(record, "bar_closed_ms"):
        return [f"verdict - [{record.bar_closed_ms}]"]
    if hasattr(record, "screen_closed_ms"):
        return [f"screen - [{record.screen_closed_ms}]"]
    if not hasattr(record, "rows"):
        return []
    rows: pd.DataFrame = record.rows
    times = rows["time"].dt.as_unit("ms").astype("int64").groupby(rows["coin"].astype("str"))
    return [f"{record.where} {json.dumps(coin)} {json.dumps(of_coin.tolist())}" for coin, of_coin in times]


class _Teller(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        for line in lines_of(record):
            print(line, flush=True)


if __name__ == "__main__":
    logging.getLogger("hlpairs_core.engine").addHandler(_Teller())
    main(["engine", *sys.argv[1:]])
