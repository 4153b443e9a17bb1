"""What the rows of a store are, and the check of those that are to be stored."""

from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from hlpairs_core.exceptions import InputError

__all__ = ["Kind", "to_table"]


@dataclass(frozen=True)
class Kind:
    """What the segments of one store hold.

    Attributes
    ----------
    name : str
        Such as ``candles-1h``; part of each segment, so that one in the wrong folder is noticed.
    columns : tuple of str
        The number columns, beside ``coin`` and ``time``; their values are finite.
    nullable : tuple of str
        Those of them where NaN is allowed too: nothing is known there.
    """

    name: str
    columns: tuple[str, ...]
    nullable: tuple[str, ...] = ()

    @property
    def schema(self) -> pa.Schema:
        """Columns and types of a segment."""
        numbers = [(name, pa.float64()) for name in self.columns]
        return pa.schema([("coin", pa.string()), ("time", pa.timestamp("ms", tz="UTC")), *numbers])

    @property
    def decoded(self) -> pa.Schema:
        """Columns and types of decoded rows: coins are a dictionary."""
        return self.schema.set(0, pa.field("coin", pa.dictionary(pa.int32(), pa.string())))


def to_table(frame: pd.DataFrame, kind: Kind) -> pa.Table:
    """Check a long frame and return it as a table, sorted by time and coin.

    Raises
    ------
    InputError
        If a column is missing, has a wrong type, a time has no zone or is finer than a millisecond, a coin or
        time is missing, or a number is: NaN is allowed in the kind's nullable columns, infinity nowhere.
    """
    schema = kind.schema
    if not len(frame):
        return schema.empty_table()
    missing = [name for name in schema.names if name not in frame.columns]
    if missing:
        raise InputError(f"the rows lack the columns {', '.join(missing)}: give {', '.join(schema.names)}")
    if not isinstance(frame["time"].dtype, pd.DatetimeTZDtype):
        raise InputError(f"the column 'time' is {frame['time'].dtype}: give times with a time zone")
    # Arrow would take text such as "12.5" for a number.
    texts = [name for name in kind.columns if not pd.api.types.is_any_real_numeric_dtype(frame[name].dtype)]
    if texts:
        raise InputError(f"the columns {', '.join(texts)} do not hold numbers: convert them with .astype(float)")
    rows = frame.loc[:, schema.names].assign(coin=frame["coin"].astype(object))
    try:
        table = pa.Table.from_pandas(rows, schema=schema, preserve_index=False).replace_schema_metadata(None)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"the rows do not fit {kind.name}: {error}") from error
    if table["coin"].null_count or table["time"].null_count:
        raise InputError("a row has no coin or no time: leave such rows out")
    _check_numbers(table, kind)
    return table.sort_by([("time", "ascending"), ("coin", "ascending")])


def _check_numbers(table: pa.Table, kind: Kind) -> None:
    for name in kind.columns:
        unknown = table[name].null_count  # NaN of pandas is null in Arrow
        if unknown and name not in kind.nullable:
            raise InputError(f"the column {name!r} of {kind.name} is NaN in {unknown} rows: leave them out")
        if pc.all(pc.is_finite(table[name])).as_py() is False:
            raise InputError(f"the column {name!r} of {kind.name} is infinite in a row: leave such rows out")
