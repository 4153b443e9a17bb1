"""A screen's answer in words."""

from hlpairs_core.screening.candidate import Candidate
from hlpairs_core.screening.result import Funnel, Verdict
from hlpairs_core.screening.settings import ScreenSettings
from hlpairs_core.wording import by_luck

__all__ = ["write_verdict"]


def write_verdict(
    top: Candidate | None,
    nearest_miss: Candidate | None,
    funnel: Funnel,
    settings: ScreenSettings,
    *,
    calibrated: bool,
) -> Verdict:
    """Return the answer: the pair that qualifies, or why none does."""
    if top is not None:
        return Verdict(True, _qualifying(top), calibrated)
    if funnel.coins_eligible < 2:
        few = "no coin is" if funnel.coins_eligible == 0 else "only one coin is"
        return Verdict(False, f"No pair qualifies: of {funnel.coins_listed} listed coins {few} eligible.", calibrated)
    if not funnel.pairs_dependent:
        return Verdict(
            False, f"No pair qualifies: none of {funnel.pairs:,} pairs {_filter_text(settings)}.", calibrated
        )
    spot = f", nor does any of {funnel.carry_pairs} spot pairs against their perpetuals" if funnel.carry_pairs else ""
    text = f"No pair qualifies: {_funnel_text(funnel, settings, calibrated)}{spot}."
    return Verdict(False, text if nearest_miss is None else f"{text} {_nearest(nearest_miss)}", calibrated)


def _qualifying(top: Candidate) -> str:
    if top.same_side:
        legs = f"{top.side_y.capitalize()} both {top.name_y} and {top.name_x}"
    elif top.side_y == "long":
        legs = f"Long {top.name_y}, short {top.name_x}"
    else:
        legs = f"Long {top.name_x}, short {top.name_y}"
    edge = f"expected net edge {top.expected_net_bps:.1f} bps of gross notional within {top.hold_hours:.0f} h"
    if not top.calibrated:
        return f"{legs}: {edge}, not calibrated on later data."
    return f"{legs}: {edge}, above {top.lower_net_bps:.1f} with 90 %, calibrated on trades that are over."


def _funnel_text(funnel: Funnel, settings: ScreenSettings, calibrated: bool) -> str:
    start = (
        f"of {funnel.pairs_dependent:,} tested pairs {funnel.pairs_cointegrated:,} "
        f"{'has' if funnel.pairs_cointegrated == 1 else 'have'} "
        f"p < {settings.p_max:g} ({by_luck(funnel.expected_by_luck)} expected by luck)"
    )
    if not funnel.pairs_cointegrated:
        return start
    if not funnel.pairs_at_entry:
        return f"{start}, and none of these is at |z| of {settings.z_in:g} or more"
    entry = f"{start}, {funnel.pairs_at_entry:,} of these {'is' if funnel.pairs_at_entry == 1 else 'are'} at entry"
    if not funnel.pairs_positive_edge:
        known = "calibrated" if calibrated else "known"
        return f"{entry}, and none has a {known}, positive net edge"
    positive = f"{entry}, {funnel.pairs_positive_edge:,} with a positive net edge"
    if calibrated:
        return f"{positive}, and none is above 0 with 90 % and tradable at this size and leverage"
    return f"{positive}, and none is tradable at this size and leverage"


def _filter_text(settings: ScreenSettings) -> str:
    name = settings.dependence_method.capitalize()
    bound = {
        "any": f"has |{name} correlation| of {settings.rho_min:g} or more",
        "inverse": f"has a {name} correlation of {-settings.rho_min:g} or less",
        "positive": f"has a {name} correlation of {settings.rho_min:g} or more",
    }
    return bound[settings.dependence]


def _nearest(miss: Candidate) -> str:
    return f"Nearest: {miss.name_y}/{miss.name_x}, but {miss.misses[0]}."
