"""The parts of the page as plain texts: what a view-model builder returns and the markup writes."""

from dataclasses import dataclass
from typing import Literal

from widgets.card_view import CardView

__all__ = [
    "CarryView", "Face", "FunnelView", "MarketView", "Notice", "PageView", "Progress", "RecordView", "RunnerView",
]  # fmt: skip

Face = Literal["loading", "qualifies", "none", "empty", "stale", "disconnected", "error"]


@dataclass(frozen=True)
class MarketView:
    """Which market this is; `kind` is the payload's, or ``none`` before the first answer."""

    kind: str
    shape: str
    label: str
    name: str
    clock: str
    fallback: str | None


@dataclass(frozen=True)
class Notice:
    """Something to read before the card; `details` opens on demand."""

    kind: Literal["info", "warning", "bad"]
    title: str
    text: str
    details: str = ""


@dataclass(frozen=True)
class Progress:
    """How far loading has come; `total` 0 when that is not known."""

    stage: str
    text: str
    done: int
    total: int


@dataclass(frozen=True)
class RunnerView:
    """One row below the card; `shown` when the card shows this pair now."""

    key: str
    pair: str
    sides: str
    z: str
    edge: str
    edge_note: str
    edge_kind: Literal["gain", "loss", "unknown"]
    p_value: str
    half_life: str
    why: str
    shown: bool


@dataclass(frozen=True)
class CarryView:
    """One row of spot against the perpetual of its coin; `shown` when the card shows it now."""

    key: str
    pair: str
    sides: str
    funding: str
    costs: str
    edge: str
    edge_note: str
    edge_kind: Literal["gain", "loss", "unknown"]
    bound: str
    why: str
    shown: bool


@dataclass(frozen=True)
class RecordView:
    """What one rule said here against what came of it, as texts: bps net, trades that do not overlap."""

    rule: str
    bars: str
    named: str
    open: str
    trades: str
    expected: str
    realised: str
    worst: str
    gains: str


@dataclass(frozen=True)
class FunnelView:
    """The gates of the screen, in order: how many are left and what they are; and what luck alone would make."""

    steps: tuple[tuple[str, str], ...]
    luck: str
    luck_of_best: str


@dataclass(frozen=True)
class PageView:
    """The whole page at one moment; texts are plain, not HTML. `belief`: why to believe the numbers, in sentences."""

    face: Face
    market: MarketView
    headline: str
    verdict: str
    context: str
    notices: tuple[Notice, ...] = ()
    progress: Progress | None = None
    card: CardView | None = None
    runners: tuple[RunnerView, ...] = ()
    carry: tuple[CarryView, ...] = ()
    funnel: FunnelView | None = None
    belief: tuple[str, ...] = ()
    record: tuple[RecordView, ...] = ()
    footnotes: tuple[str, ...] = ()
    message_age: float | None = None
    selection_lost: bool = False
