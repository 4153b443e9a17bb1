import logging
from collections import Counter

__all__ = ["Faults"]

_logger = logging.getLogger(__name__)

_SHOWN = 300


class Faults:
    """What went wrong or could not be used, counted by kind; the first of each kind is logged."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def note(self, kind: str, detail: str) -> None:
        """Count one.

        Parameters
        ----------
        kind : str
            One of a few: never made of what the exchange sends.
        detail : str
            What is wrong, with the value seen.
        """
        self.counts[kind] += 1
        if self.counts[kind] == 1:
            _logger.warning(
                "the stream met a fault (%s): %s; more of this kind are only counted", kind, detail[:_SHOWN]
            )
