"""The order of candidates: the best, and the one that comes closest."""

import numpy as np
import pandas as pd

from hlpairs_core._typing import BoolArray
from hlpairs_core.screening.candidate import Candidate

__all__ = ["nearest_miss", "rank", "top_candidate"]


def rank(candidates: pd.DataFrame, in_question: BoolArray) -> pd.DataFrame:
    """Sort pairs, best first: qualifying ones by net edge, then those in question by net edge, the rest by p.

    In question are cointegrated pairs, and spot that can be traded. The net edge is the calibrated mean where a model
    was asked; those of which it knows something come before others in question. Unknown numbers come last, ties go by
    name.
    """
    asked = candidates["calibrated"].to_numpy(dtype=bool)
    net = np.where(asked, candidates["mean_net_bps"], candidates["net_edge_bps"]).astype(np.float64)
    qualifies = candidates["qualifies"].to_numpy(dtype=bool)
    group = np.select([qualifies, asked & np.isfinite(net), in_question], [0, 1, 2], default=3)
    merit = np.where(group < 3, -net, candidates["p_value"])
    keys = pd.DataFrame({"group": group, "merit": merit, "y": candidates["y"], "x": candidates["x"]})
    order = keys.sort_values(["group", "merit", "y", "x"]).index
    return candidates.loc[order].reset_index(drop=True)


def top_candidate(ranked: pd.DataFrame) -> Candidate | None:
    """Return the best qualifying pair of ranked candidates."""
    if ranked.empty or not ranked["qualifies"].iloc[0]:
        return None
    return Candidate.from_row(ranked.iloc[0])


def nearest_miss(ranked: pd.DataFrame, n_in_question: int) -> Candidate | None:
    """Return the pair that comes closest where none qualifies.

    Of the pairs in question, which the ranking puts first, the one that fails the fewest gates; of several
    the first, with the largest net edge. Where there is none, the pair with the lowest p.
    """
    if ranked.empty or ranked["qualifies"].iloc[0]:
        return None
    failures = ranked["misses"].head(max(n_in_question, 1)).map(len).to_numpy()
    return Candidate.from_row(ranked.iloc[int(np.argmin(failures))])
