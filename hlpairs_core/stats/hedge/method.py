from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from hlpairs_core.exceptions import InputError
from hlpairs_core.stats.hedge.result import Fit

__all__ = ["Method"]


@dataclass(frozen=True)
class Method:
    """A way to estimate a hedge ratio.

    Attributes
    ----------
    estimate : callable
        Takes a `Pair` and, by keyword, `level` and the method's own options; returns a `Fit`.
    assumptions : str
        What the method takes for granted, and when it misleads.
    interval_note : str
        What the interval rests on, or why there is none.
    """

    estimate: Callable[..., Fit]
    assumptions: str
    interval_note: str

    def check_options(self, name: str, options: dict[str, object]) -> None:
        """Refuse options that the method does not have, and the lack of one that it needs.

        Raises
        ------
        InputError
            Naming the option and those that there are.
        """
        parameters = inspect.signature(self.estimate).parameters.values()
        own = {one.name: one for one in parameters if one.kind is one.KEYWORD_ONLY and one.name != "level"}
        for option in options:
            if option not in own:
                known = f"its options are {', '.join(own)}" if own else "it has none"
                raise InputError(f"method {name!r} has no option {option!r}: {known}")
        for option, one in own.items():
            if one.default is one.empty and option not in options:
                raise InputError(f"method {name!r} needs the option {option!r}")
