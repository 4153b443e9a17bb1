"""What the engine says to its readers: the JSON of ``GET /pairs/top`` and ``WS /ws/top``.

Times are ISO 8601 in UTC with milliseconds and a ``Z``. Numbers that are unknown are ``null``, never 0. All
``*_bps`` are basis points of gross notional (both legs together); costs are positive, funding is positive
when received.
"""

from datetime import UTC, datetime
from typing import Literal, TypedDict

from hlpairs_core.engine.track_record import TrackRecord

__all__ = [
    "Bar",
    "Believed",
    "EdgeModelSaid",
    "Funnel",
    "Loading",
    "LuckOfBest",
    "Market",
    "ModelHistory",
    "Problem",
    "Row",
    "Settings",
    "Sparkline",
    "TopPayload",
    "Verdict",
    "iso",
]


def iso(seconds: float) -> str:
    """Return a time (seconds since the epoch) as ISO 8601 in UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Sparkline(TypedDict):
    """z of one pair over the last 15 minutes of wall time, under the parameters frozen at the last closed bar."""

    t: list[str]  # wall time of each point
    z: list[float]


class Believed(TypedDict):
    """What a model that was fitted on trades which are over says of one pair; it is asked about pairs at entry."""

    mean_net_bps: float | None  # expected net edge at the newest mids
    lower_net_bps: float | None  # what that is above with 90 %; null where nothing was learned
    mean_net_usd: float | None
    signal_mean_net_bps: float | None  # at the close of the last closed bar
    signal_lower_net_bps: float | None  # above 0: the pair qualifies
    low_net_bps: float | None  # 90 % range of this one trade, at that close
    high_net_bps: float | None
    gain_probability: float | None
    deviation_bps: float | None  # standard deviation of the trade
    worst_net_bps: float | None  # mean of its worst 5 %
    gross_share: float | None  # how much of the projected reversion is expected to arrive
    funding_share: float | None  # and of the projected funding


class Row(TypedDict):
    """One pair, selected and fitted at the last closed bar, marked with the newest mids."""

    kind: Literal["perp_perp", "spot_perp"]  # two perpetuals, or spot and the perpetual of the same coin
    y: str  # names on the wire
    x: str
    spot_token: str  # what the leg is called that is spot, such as UBTC; else empty
    spot_leg: Literal["", "y", "x"]
    side_y: Literal["long", "short"]
    side_x: Literal["long", "short"]
    same_side: bool  # β < 0: both legs lie on one side of the market
    beta: float  # ratio of notionals, x to y
    zscore: float | None  # now: newest mids; null where a mid is missing
    signal_zscore: float | None  # at the close of the last closed bar: what the selection saw
    mark_state: Literal["entry", "faded", "reverted", "crossed", "unknown", "held"]  # where z stands; held: spot
    p_value: float | None
    q_value: float | None  # Benjamini-Yekutieli over all tested pairs
    correlation: float | None
    half_life_hours: float | None
    hold_hours: float | None  # expected
    gross_bps: float | None  # projected reversion, before costs, at the newest mids
    fee_bps: float
    slippage_bps: float | None
    slippage_source: Literal["book", "model"]
    funding_bps: float | None  # over the expected hold
    funding_bps_per_hour: float | None
    net_edge_bps: float | None  # projected
    net_edge_usd: float | None
    signal_net_edge_bps: float | None  # at the close of the last closed bar
    believed: Believed | None  # what of that can be believed; null where no model was asked
    notional_usd: float  # gross
    notional_y_usd: float
    notional_x_usd: float
    capacity_usd: float | None  # largest gross notional within the caps
    margin_usd: float | None  # tied up at the settings' leverage
    capital_usd: float | None  # the same, and spot that is paid in full
    liquidation_distance_y: float | None  # move of y's price, a fraction, at which the exchange closes the leg
    liquidation_distance_x: float | None
    break_even_z: float | None  # from where on what is believed of the reversion pays all costs
    largest_size_usd: float | None  # up to where it does
    maker_cost_bps: float | None  # of the round trip with resting orders, in place of fees and slippage
    maker_unfilled: float | None  # share of bars in which not both opening orders would have been filled
    qualifies: bool
    misses: list[str]  # sentences: why it does not qualify, most telling first; empty when it does
    sparkline: Sparkline


class Market(TypedDict):
    """Which market this is. Only an address of Hyperliquid's mainnet is ever ``live``."""

    kind: Literal["live", "testnet", "demo", "replay", "unverified"]
    label: str  # LIVE, TESTNET, DEMO, REPLAY, UNVERIFIED
    name: str  # of the data sub-folder, e.g. "mainnet", "demo-seed7"
    address: str
    speed: float  # market seconds per wall second
    time: str | None  # market clock
    fallback: str | None  # why this market stands in for another; null when it was asked for


class Bar(TypedDict):
    """The closed bar that the selection rests on."""

    interval: str
    time: str  # its open
    closed_at: str
    age_seconds: float  # market time since it closed
    refit_seconds: float
    coins: int
    pairs: int


class Funnel(TypedDict):
    """How many are left after each gate of the screen."""

    coins_listed: int
    coins_eligible: int
    pairs: int
    pairs_dependent: int
    pairs_cointegrated: int
    expected_by_luck: float  # nominal: at least so many tests pass the p gate when nothing is cointegrated
    pairs_at_entry: int
    pairs_positive_edge: int
    pairs_qualifying: int
    carry_pairs: int  # spot pairs held against their perpetuals, beside all those
    carry_qualifying: int


class LuckOfBest(TypedDict):
    """The best test of the bar, and how often luck alone gives one as good among as many pairs."""

    t_stat: float
    chance: float  # (1 + null screens with a best t as small) / (1 + null screens)
    screens: int


class Loading(TypedDict):
    """Progress of what is still being fetched."""

    stage: str
    done: int
    total: int
    text: str


class Verdict(TypedDict):
    """The answer, fixed at the last closed bar."""

    qualifies: bool
    text: str
    calibrated: bool


class Problem(TypedDict):
    """Something that is wrong now and what is done about it."""

    source: str  # "exchange", "store", "screen", "market"
    since: str
    text: str
    retry_in_seconds: float | None


class Settings(TypedDict):
    """The screen's settings that the page shows."""

    window: int
    horizon_hours: float
    z_in: float
    z_out: float
    p_max: float
    notional_usd: float
    taker_fee_bps: float


class ModelHistory(TypedDict):
    """What one model would have made of the history that it was fitted on, each time without having seen it."""

    kind: Literal["perp_perp", "spot_perp"]
    form: str  # what it reads: "nothing arrives" where nothing predicts
    trades: int  # fitted
    choices: int  # bars at which it would have named a pair
    arrived: float | None  # slope of what came on what was expected of these
    arrived_error: float | None  # its standard error


class EdgeModelSaid(TypedDict):
    """The model behind the believed edges, and how far its next fit is."""

    stage: Literal["waiting", "walking", "fitting", "fitted", "too short", "failed"]
    text: str  # for people
    done: int
    total: int
    fitted_at: str | None  # close of the last bar that it knows; null without a model
    history: list[ModelHistory]  # of the models in use


class TopPayload(TypedDict):
    """Answer of ``GET /pairs/top``.

    The first twelve fields describe the pair that qualifies; they are null (the sparkline empty) when none does.
    """

    baseA: str | None
    baseB: str | None
    sideA: Literal["long", "short"] | None
    sideB: Literal["long", "short"] | None
    beta: float | None
    zscore: float | None
    expected_edge_bps: float | None  # the believed mean where a model was asked, else the projection
    funding_bps_h: float | None
    fee_bps: float | None
    slippage_bps: float | None
    spreadSparkline: list[float]
    updated_at: str | None  # wall time at which the newest quote arrived
    phase: Literal["loading", "ready", "empty", "error"]
    message_age_seconds: float | None  # wall time since the last message arrived, when this was sent
    market: Market
    bar: Bar | None
    verdict: Verdict
    top: Row | None
    nearest_miss: Row | None
    runners_up: list[Row]
    carry: list[Row]  # spot against the perpetual of its coin, both directions, best first
    funnel: Funnel | None
    luck: LuckOfBest | None
    edge_model: EdgeModelSaid
    track_record: TrackRecord | None  # of all that was said here; null before anything was
    loading: Loading | None
    problems: list[Problem]
    settings: Settings
