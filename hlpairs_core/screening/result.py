from dataclasses import dataclass

import pandas as pd

from hlpairs_core.costs import CostModel
from hlpairs_core.exceptions import InputError
from hlpairs_core.screening.candidate import Candidate
from hlpairs_core.screening.html import result_html
from hlpairs_core.screening.settings import ScreenSettings

__all__ = ["Funnel", "ScreenResult", "Verdict"]


@dataclass(frozen=True, kw_only=True)
class Funnel:
    """How many are left after each gate of a screen; each count is among those of the line before.

    Attributes
    ----------
    coins_listed, coins_eligible : int
        Coins the exchange lists (without a market: coins of the panel), and those that enter the screen.
    pairs : int
        Pairs of eligible coins.
    pairs_dependent : int
        Those that passed the dependence filter: all are tested.
    pairs_cointegrated : int
        p below the gate.
    expected_by_luck : float
        How many of the tested pairs pass the p gate when nothing is cointegrated; one asset twice has no p
        and does not count. Nominal (tests times ``p_max``): with lags by AIC luck passes more, up to about twice as
        many at recorded prices, which `null_screen` counts.
    pairs_at_entry, pairs_positive_edge, pairs_qualifying : int
        |z| at entry, expected net edge above 0, every other gate passed.
    carry_pairs, carry_qualifying : int
        Spot pairs held against the perpetual of the same coin, beside all those, and how many qualify.
    """

    coins_listed: int
    coins_eligible: int
    pairs: int
    pairs_dependent: int
    pairs_cointegrated: int
    expected_by_luck: float
    pairs_at_entry: int
    pairs_positive_edge: int
    pairs_qualifying: int
    carry_pairs: int = 0
    carry_qualifying: int = 0


@dataclass(frozen=True)
class Verdict:
    """The answer of a screen.

    Attributes
    ----------
    qualifies : bool
        Whether a pair passes every gate.
    text : str
        One sentence or two; plain text with coin names in it, to be escaped where it is shown.
    calibrated : bool
        Whether a model that was fitted on trades that are over judged the edges; else they are projections.
    """

    qualifies: bool
    text: str
    calibrated: bool = False


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ScreenResult:
    """What a screen found at one closed bar.

    Attributes
    ----------
    candidates : DataFrame
        One row a tested pair, and two a matched spot pair (both directions), best first, with the attributes of
        `Candidate` as columns: those that qualify by net edge (the calibrated mean where a model was asked), then those
        that pass the p gate and spot that can be traded by net edge, those that a model was asked about first, then the
        others by p.
    signals : DataFrame
        The pairs at entry (p and z gates passed) with all that a walk-forward knows of a candidate at its signal: the
        columns of `WalkForward.rows` but the outcomes; and spot that can be traded, with `CARRY_FEATURES` (which
        pairs of perpetuals do not have). ``qualifies`` and ``is_top`` are those of the rule that is not
        calibrated.
    top : Candidate or None
        The qualifying pair with the largest expected net edge.
    nearest_miss : Candidate or None
        When none qualifies: of the pairs that pass the p gate and of spot that can be traded the one that fails the
        fewest gates, of several the first in the order of `candidates`; where there is none, the one with the lowest
        p.
        Its first miss names what sinks it. None when a pair qualifies or none was tested.
    verdict : Verdict
        The answer in words.
    funnel : Funnel
        How many were left after each gate.
    universe : DataFrame
        By coin: ``eligible, reason, day_notional_usd, traded_share``.
    settings, costs : ScreenSettings, CostModel
        What was asked.
    bar_time, closed_at : pandas.Timestamp
        Open and close of the signal bar (UTC). A trade on this result is entered at `closed_at` or later.
    as_of : pandas.Timestamp
        Market time of the state used; `closed_at` without one.
    """

    candidates: pd.DataFrame
    signals: pd.DataFrame
    top: Candidate | None
    nearest_miss: Candidate | None
    verdict: Verdict
    funnel: Funnel
    universe: pd.DataFrame
    settings: ScreenSettings
    costs: CostModel
    bar_time: pd.Timestamp
    closed_at: pd.Timestamp
    as_of: pd.Timestamp

    def candidate(self, y: str, x: str) -> Candidate:
        """Return one tested pair.

        Raises
        ------
        InputError
            If the pair was not tested in this orientation.
        """
        rows = self.candidates[(self.candidates["y"] == y) & (self.candidates["x"] == x)]
        if rows.empty:
            raise InputError(f"the pair {y!r}/{x!r} was not tested: see `candidates` for those that were")
        return Candidate.from_row(rows.iloc[0])

    @property
    def raw_top(self) -> tuple[str, str] | None:
        """The pair (y, x) that the rule which is not calibrated would have named; None where it names none."""
        best = self.signals[self.signals["is_top"].to_numpy(dtype=bool)]
        best = best.sort_values("expected_net_bps", ascending=False, kind="stable")
        return None if best.empty else (str(best["y"].iloc[0]), str(best["x"].iloc[0]))

    def __repr__(self) -> str:
        columns = ["y", "x", "side_y", "beta", "zscore", "p_value", "gross_bps", "net_edge_bps", "qualifies"]
        head = self.candidates[columns].head(5).to_string(index=False, float_format=lambda v: f"{v:.4g}")
        lines = [f"ScreenResult at {self.closed_at:%Y-%m-%d %H:%M} UTC: {self.verdict.text}"]
        return "\n".join([*lines, head] if len(self.candidates) else lines)

    def _repr_html_(self) -> str:
        return result_html(self)
