"""Why to believe the numbers, as texts: the models' own history, and what was said here against what came of it."""

from collections.abc import Mapping
from typing import Any

from widgets import formatting as show
from widgets.views import RecordView

__all__ = ["belief_lines", "record_views"]


def belief_lines(payload: Mapping[str, Any], *, close: str | None) -> tuple[str, ...]:
    """Return what is known of the models behind the numbers, in sentences; `close` names the screened bar's."""
    model = payload["edge_model"]
    lines = (show.text(model["text"]), *(_model_history(one) for one in model["history"]))
    if model["history"] and close is not None and not payload["verdict"]["calibrated"]:
        return (*lines, f"The {close} was screened before there was this model: it counts from the next one on.")
    return lines


def _model_history(model: Mapping[str, Any]) -> str:
    kind = {"perp_perp": "Pairs of perpetuals", "spot_perp": "Spot against perpetuals"}[model["kind"]]
    fitted, form = f"{kind}, {show.count(model['trades'])} past trades", show.text(model["form"])
    arrived = show.finite(model["arrived"])
    if not model["choices"] or arrived is None:
        return f"{fitted}: nothing of what the screen projects was found to arrive ({form})."
    return (
        f"{fitted}, by {form}. The {show.count(model['choices'])} that it would have named unseen brought "
        f"{show.number(arrived)} ± {show.number(model['arrived_error'])} of what was expected of them."
    )


def record_views(record: Mapping[str, Any] | None) -> tuple[RecordView, ...]:
    """Return what each rule said here against what came of it."""
    if record is None:
        return ()
    rules = (("calibrated", "Calibrated answers"), ("raw", "Projections taken at their word"))
    return tuple(_of_rule(name, record[key]) for key, name in rules if record[key]["bars"])


def _of_rule(name: str, said: Mapping[str, Any]) -> RecordView:
    trades = said["trades"]
    return RecordView(
        rule=name,
        bars=show.count(said["bars"]),
        named=show.count(said["said"]),
        open=show.count(said["open"]),
        trades=show.count(trades["n"]),
        expected=show.signed(trades["mean_expected_bps"]),
        realised=show.signed(trades["mean_realised_bps"]),
        worst=show.signed(trades["worst_realised_bps"]),
        gains=show.share(trades["gain_share"]),
    )
