"""A screen that asks a model what can be believed: gates, ranking, words and marks."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.backtest import walk_forward
from hlpairs_core.market import Panel
from hlpairs_core.screening import ScreenSettings, mark, screen
from hlpairs_core.screening.forecast import FORECASTS
from hlpairs_core.screening.signals import SIGNALS

SETTINGS = ScreenSettings(window=200, p_max=0.9, z_in=0.3, z_out=0.1, min_day_notional_usd=0.0)


@dataclass
class Says:
    """Says the same of every candidate but for those named; keeps what it was asked about."""

    mean: float = 20.0
    error: float = 10.0
    of: dict[tuple[str, str], float] = field(default_factory=dict)
    asked: pd.DataFrame = field(default_factory=pd.DataFrame)

    def predict(self, rows: pd.DataFrame, *, settings: ScreenSettings) -> pd.DataFrame:
        self.asked = rows
        pairs = zip(rows["y"], rows["x"], strict=True)
        mean = np.array([self.of.get(pair, self.mean) for pair in pairs], dtype=np.float64)
        said = pd.DataFrame(0.5, index=rows.index, columns=list(FORECASTS))
        gross_share = (mean + rows["expected_fee_bps"] + rows["expected_slippage_bps"]) / rows["expected_gross_bps"]
        return said.assign(
            mean_net_bps=mean,
            standard_error_bps=self.error,
            lower_net_bps=mean - 1.2816 * self.error,
            gross_share=gross_share,
            funding_share=0.0,
        )


@pytest.fixture(scope="module")
def history(make_panel: Callable[..., Panel], make_walks: Callable[..., np.ndarray]) -> Panel:
    return make_panel(make_walks(202, 10, seed=8))


@pytest.fixture(scope="module")
def now(history: Panel) -> Panel:
    """All but the last bar, which a walk-forward needs to trade in."""
    return history.rows(0, 201)


def test_it_is_asked_about_the_pairs_at_entry_as_a_walk_forward_has_them(history: Panel, now: Panel) -> None:
    model = Says()
    result = screen(now, settings=SETTINGS, edge=model)
    walked = walk_forward(history, settings=SETTINGS, candidate_p=0.9, candidate_z=0.3).rows
    assert len(model.asked) == result.funnel.pairs_at_entry > 3
    ours, theirs = (
        table[list(SIGNALS)].astype({"y": str, "x": str}).sort_values(["y", "x"], ignore_index=True)
        for table in (model.asked, walked[walked["signal_time"] == now.closed_at])
    )
    pd.testing.assert_frame_equal(ours, theirs)


def test_without_a_model_the_signals_are_there_and_nothing_is_called_calibrated(now: Panel) -> None:
    result = screen(now, settings=SETTINGS)
    assert len(result.signals) == result.funnel.pairs_at_entry
    assert not result.verdict.calibrated
    assert not result.candidates["calibrated"].any()
    assert result.candidates[list(FORECASTS)].isna().all(axis=None)
    assert result.raw_top == (result.top.y, result.top.x)


def test_a_pair_qualifies_when_its_mean_is_above_0_with_90_percent(now: Panel) -> None:
    result = screen(now, settings=SETTINGS, edge=Says(mean=20.0, error=10.0))
    assert result.verdict.calibrated
    assert result.top.calibrated
    assert result.top.lower_net_bps == pytest.approx(20.0 - 12.816)
    assert result.top.expected_net_bps == 20.0
    assert "expected net edge 20.0 bps" in result.verdict.text
    assert result.verdict.text.endswith("above 7.2 with 90 %, calibrated on trades that are over.")
    assert result.top.net_edge_usd == pytest.approx(20.0 * SETTINGS.notional_usd / 1e4)


def test_the_largest_mean_leads_whatever_the_projection(now: Panel) -> None:
    raw = screen(now, settings=SETTINGS)
    worst = raw.candidates[raw.candidates["qualifies"]].iloc[-1]
    result = screen(now, settings=SETTINGS, edge=Says(of={(worst["y"], worst["x"]): 25.0}))
    assert (result.top.y, result.top.x) == (worst["y"], worst["x"])
    assert result.raw_top == (raw.top.y, raw.top.x) != (result.top.y, result.top.x)
    asked = result.candidates["calibrated"].to_numpy()
    assert asked[: asked.sum()].all()


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Says(mean=20.0, error=20.0), "net 20.0 bps, above -5.6 with 90 %, which is not above 0"),
        (Says(mean=-12.0, error=np.nan), "nothing of such expectations has arrived so far: -12.0 bps are left after"),
        (Says(mean=np.nan), "what can be believed of its expectation is unknown"),
    ],
)
def test_what_cannot_be_believed_does_not_qualify_and_says_why(now: Panel, model: Says, words: str) -> None:
    result = screen(now, settings=SETTINGS, edge=model)
    assert result.top is None
    assert result.raw_top is not None
    assert not result.candidates["qualifies"].any()
    assert result.verdict.calibrated
    best = result.candidate(*result.raw_top)
    assert words in best.misses[0]
    assert best.gates_failed == ("edge",)


def test_pairs_that_are_not_at_entry_keep_their_projection_and_are_not_asked_about(now: Panel) -> None:
    plain, said = screen(now, settings=SETTINGS), screen(now, settings=SETTINGS, edge=Says())
    away = said.candidates[~said.candidates["calibrated"]].set_index(["y", "x"])
    same = plain.candidates.set_index(["y", "x"]).loc[away.index]
    pd.testing.assert_frame_equal(away, same)
    assert len(away) > 3


def test_a_positive_mean_counts_in_the_funnel_and_none_is_said_plainly(now: Panel) -> None:
    result = screen(now, settings=SETTINGS, edge=Says(mean=1.0, error=10.0))
    assert result.funnel.pairs_positive_edge == result.funnel.pairs_at_entry
    assert "none is above 0 with 90 % and tradable at this size and leverage" in result.verdict.text
    nothing = screen(now, settings=SETTINGS, edge=Says(mean=-1.0))
    assert nothing.funnel.pairs_positive_edge == 0
    assert "none has a calibrated, positive net edge" in nothing.verdict.text


def test_a_notebook_shows_mean_and_bound_beside_the_projection(now: Panel) -> None:
    html = screen(now, settings=SETTINGS, edge=Says())._repr_html_()
    assert "<th>projected net, bps</th><th>net edge, bps</th><th>above, with 90 %</th>" in html
    assert "<td>+20.0</td><td>+7.2</td>" in html
    assert "not calibrated" not in html
    assert "above, with 90 %" not in screen(now, settings=SETTINGS)._repr_html_()


def test_a_mark_at_the_close_is_the_selection_s_and_moves_by_the_share_that_arrives(now: Panel) -> None:
    result = screen(now, settings=SETTINGS, edge=Says())
    mids = dict(zip(now.coins, now.close[-1], strict=True))
    still = mark(result, mids)
    for name in ("mean_net_bps", "lower_net_bps"):
        pd.testing.assert_series_equal(still[name], result.candidates[name])
    top = result.top
    moved = mark(result, mids | {top.y: mids[top.y] * 1.001}, pairs=[(top.y, top.x)]).iloc[0]
    before = still.iloc[0]
    assert moved["mean_net_bps"] - 20.0 == pytest.approx(top.gross_share * (moved["gross_bps"] - before["gross_bps"]))
    assert moved["mean_net_bps"] - moved["lower_net_bps"] == pytest.approx(12.816)


def test_what_no_model_knows_comes_after_what_is_in_question(now: Panel) -> None:
    plain = screen(now, settings=SETTINGS)
    unknown = (plain.top.y, plain.top.x)
    result = screen(now, settings=SETTINGS, edge=Says(mean=-5.0, of={unknown: np.nan}))
    pairs = list(zip(result.candidates["y"], result.candidates["x"], strict=True))
    known = int(result.candidates["mean_net_bps"].notna().sum())
    cointegrated = int((result.candidates["p_value"] < SETTINGS.p_max).sum())
    assert known < cointegrated - 1
    assert pairs.index(unknown) == cointegrated - 1
    assert (result.nearest_miss.y, result.nearest_miss.x) != unknown
