"""Every error hlpairs raises on purpose.

::

    HlpairsError
    ├── InputError (also ValueError)      an argument that cannot be worked with
    │   ├── SettingsError                 a setting from the environment, `.env` or the command line
    │   └── UnknownPair                   no screen that is kept has it
    ├── ExchangeError                     the exchange, or something that poses as one
    │   ├── ExchangeUnavailable           no usable answer after all retries
    │   │   ├── CircuitOpen               not asked: it kept failing; says when it is asked again
    │   │   └── RateLimited               the last answer was 429
    │   ├── RequestRefused                4xx: the exchange understood and said no
    │   │   └── UnknownCoin               it does not list this coin
    │   └── MalformedPayload              an answer whose shape or value cannot be trusted
    ├── StoreError                        the data folder
    │   └── StoreNotWritable              read-only, full, or not ours
    └── EngineError                       the live process
        ├── EngineRunning                 a second engine was refused; names the first
        └── EngineUnreachable             no engine answers

Messages say what happened, the value seen and what to do.
"""

__all__ = [
    "CircuitOpen",
    "DataWarning",
    "EngineError",
    "EngineRunning",
    "EngineUnreachable",
    "ExchangeError",
    "ExchangeUnavailable",
    "HlpairsError",
    "InputError",
    "MalformedPayload",
    "RateLimited",
    "RequestRefused",
    "SettingsError",
    "StoreError",
    "StoreNotWritable",
    "UnknownCoin",
    "UnknownPair",
]


class HlpairsError(Exception):
    """Base of every error raised on purpose; catch it to catch them all."""


class InputError(HlpairsError, ValueError):
    """An argument cannot be worked with."""


class SettingsError(InputError):
    """A setting has a value that is not allowed."""


class UnknownPair(InputError):
    """No screen that is kept has tested this pair."""


class ExchangeError(HlpairsError):
    """The exchange did not give a usable answer."""


class ExchangeUnavailable(ExchangeError):
    """No usable answer came after all retries."""


class CircuitOpen(ExchangeUnavailable):
    """Nothing was sent, because requests of this kind kept failing.

    Attributes
    ----------
    retry_at : float
        When they are tried again (seconds since 1970).
    """

    def __init__(self, message: str, *, retry_at: float) -> None:
        super().__init__(message)
        self.retry_at = retry_at


class RateLimited(ExchangeUnavailable):
    """The exchange still answered 429 after all retries."""


class RequestRefused(ExchangeError):
    """The exchange understood the request and refused it."""


class UnknownCoin(RequestRefused):
    """The exchange does not list this coin."""


class MalformedPayload(ExchangeError):
    """An answer has a shape or a value that cannot be trusted.

    Attributes
    ----------
    request : str
        The request, as sent (for example ``candleSnapshot BTC 1h``).
    field : str
        Path of the offending field (for example ``[3].c``).
    """

    def __init__(self, request: str, field: str, problem: str) -> None:
        super().__init__(f"the answer to {request} is malformed at {field}: {problem}")
        self.request = request
        self.field = field


class StoreError(HlpairsError):
    """The data folder cannot be used."""


class StoreNotWritable(StoreError):
    """The data folder is read-only, full, or belongs to somebody else."""


class EngineError(HlpairsError):
    """The live process cannot do what was asked."""


class EngineRunning(EngineError):
    """Another engine already works in this data folder; ``hlpairs engine`` then exits with `EXIT_CODE`."""

    EXIT_CODE = 3


class EngineUnreachable(EngineError):
    """No engine answers."""


class DataWarning(UserWarning):
    """Data were left out or could not be read; the message says which and why."""
