"""What keeps a pair from qualifying, and how the result says so."""

import pickle
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from hlpairs_core.costs import CostModel
from hlpairs_core.exceptions import InputError
from hlpairs_core.exchange.book import OrderBook
from hlpairs_core.market import MarketState, Panel
from hlpairs_core.screening import ScreenResult, ScreenSettings, screen
from hlpairs_core.stats import benjamini_yekutieli

SETTINGS = ScreenSettings(window=200)
COINS = ("Y", "X")


@pytest.fixture(scope="module")
def pair_panel(make_panel: Callable[..., Panel], make_pair: Callable[..., np.ndarray]) -> Panel:
    return make_panel(make_pair(201), coins=COINS, notional=np.array([20e6, 80e6]))


@pytest.fixture(scope="module")
def walks_panel(make_panel: Callable[..., Panel], make_walks: Callable[..., np.ndarray]) -> Panel:
    return make_panel(make_walks(201, 10, seed=8))


def only(result: ScreenResult) -> tuple[bool, tuple[str, ...]]:
    row = result.candidates.iloc[0]
    return bool(row["qualifies"]), row["misses"]


def test_a_pair_that_passes_every_gate_is_the_top(pair_panel: Panel) -> None:
    result = screen(pair_panel, settings=SETTINGS)
    assert only(result) == (True, ())
    assert repr(result.top) == repr(result.candidate(*COINS))
    assert result.nearest_miss is None
    assert result.verdict.qualifies
    assert not result.verdict.calibrated
    assert result.verdict.text.startswith("Long X, short Y: expected net edge ")
    counts = result.funnel
    assert (counts.pairs, counts.pairs_dependent, counts.pairs_cointegrated, counts.pairs_qualifying) == (1, 1, 1, 1)
    assert counts.expected_by_luck == pytest.approx(0.05)


def test_a_pair_that_is_not_cointegrated_says_its_p(walks_panel: Panel) -> None:
    table = screen(walks_panel, settings=SETTINGS).candidates
    worst = table.iloc[-1]
    assert worst["misses"][0] == f"p is {worst['p_value']:.3g}, cointegration needs less than 0.05"


def test_a_pair_below_the_entry_says_its_z(
    make_panel: Callable[..., Panel], make_pair: Callable[..., np.ndarray]
) -> None:
    panel = make_panel(make_pair(201, last_z=1.2), coins=COINS, notional=np.array([20e6, 80e6]))
    result = screen(panel, settings=SETTINGS)
    z = abs(result.candidates.loc[0, "zscore"])
    assert only(result) == (False, (f"|z| is {z:.1f}, entry needs 2.0",))
    assert repr(result.nearest_miss) == repr(result.candidate(*COINS))
    assert result.verdict.text.endswith(f"Nearest: Y/X, but |z| is {z:.1f}, entry needs 2.0.")


def test_a_z_just_below_the_entry_is_not_rounded_up_to_it(pair_panel: Panel) -> None:
    z = abs(screen(pair_panel, settings=SETTINGS).candidates.loc[0, "zscore"])
    said = only(screen(pair_panel, settings=ScreenSettings(window=200, z_in=z + 1e-4)))[1][0]
    assert float(said.split()[2].rstrip(",")) < z + 1e-4


def test_costs_above_the_reversion_are_named(pair_panel: Panel) -> None:
    result = screen(pair_panel, settings=SETTINGS, costs=CostModel(taker_fee_bps=100.0, half_spread_bps=100.0))
    row = result.candidates.iloc[0]
    expected = (
        f"fees 200.0 + slippage {row['slippage_bps']:.1f} bps exceed the expected reversion {row['gross_bps']:.1f} bps"
    )
    assert only(result) == (False, (expected,))
    assert result.funnel.pairs_at_entry == 1
    assert result.funnel.pairs_positive_edge == 0


def test_funding_paid_is_among_the_costs_named(
    make_panel: Callable[..., Panel], make_pair: Callable[..., np.ndarray]
) -> None:
    panel = make_panel(make_pair(201), coins=COINS, notional=np.array([20e6, 80e6]), funding=np.array([-0.01, 0.01]))
    assert " + funding " in only(screen(panel, settings=SETTINGS))[1][0]


def test_unknown_funding_leaves_the_net_edge_unknown(
    make_panel: Callable[..., Panel], make_pair: Callable[..., np.ndarray]
) -> None:
    panel = make_panel(make_pair(201), coins=COINS, notional=np.array([20e6, 80e6]), funding=np.array([np.nan, 0.0]))
    result = screen(panel, settings=SETTINGS)
    row = result.candidates.iloc[0]
    assert only(result) == (False, ("the funding rate of Y is unknown, so the net edge is too",))
    assert np.isnan([row["funding_bps"], row["net_edge_bps"]]).all()
    assert row["funding_source"] == "unknown"


def test_assumed_funding_is_used_and_flagged(
    make_panel: Callable[..., Panel], make_pair: Callable[..., np.ndarray]
) -> None:
    panel = make_panel(make_pair(201), coins=COINS, notional=np.array([20e6, 80e6]), funding=np.array([np.nan, 0.0]))
    row = screen(panel, settings=SETTINGS, costs=CostModel(assumed_funding_per_hour=1e-4)).candidates.iloc[0]
    assert row["funding_source"] == "assumed"
    assert row["funding_bps_per_hour"] == pytest.approx(1 / (1 + row["beta"]))  # the short y leg receives 1 bp
    assert row["qualifies"]


def test_the_panels_funding_is_the_mean_of_the_last_day_known_at_the_signal(
    make_panel: Callable[..., Panel], make_pair: Callable[..., np.ndarray]
) -> None:
    funding = np.full((201, 2), 9e-4)  # older than a day: must not count
    funding[-24:] = 0.0
    funding[-24:, 0] = np.linspace(1e-4, 3e-4, 24)
    funding[-5, 0] = np.nan
    panel = make_panel(make_pair(201), coins=COINS, notional=np.array([20e6, 80e6]), funding=funding)
    row = screen(panel, settings=SETTINGS).candidates.iloc[0]
    assert row["funding_bps_per_hour"] == pytest.approx(1e4 * np.nanmean(funding[-24:, 0]) / (1 + row["beta"]))


def test_the_markets_funding_goes_before_the_panels(pair_panel: Panel, make_market: Callable[..., MarketState]) -> None:
    market = make_market(COINS, funding_rate=[2e-4, np.nan])
    row = screen(pair_panel, settings=SETTINGS, market=market).candidates.iloc[0]
    assert row["misses"] == ("the funding rate of X is unknown, so the net edge is too",)
    row = screen(pair_panel, settings=SETTINGS, market=make_market(COINS, funding_rate=2e-4)).candidates.iloc[0]
    assert row["funding_source"] == "market"
    assert row["funding_bps_per_hour"] == pytest.approx(2 * (1 - row["beta"]) / (1 + row["beta"]))


def test_both_books_are_walked_in_and_out(
    pair_panel: Panel, make_market: Callable[..., MarketState], make_book: Callable[..., OrderBook]
) -> None:
    # A leg below 10,000 USD fills at the best level: 0.01 of 100 is 1 bp a fill, in and out is 2 bps of each leg.
    books = {coin: make_book(coin) for coin in COINS}
    row = screen(pair_panel, settings=SETTINGS, market=make_market(COINS, books=books)).candidates.iloc[0]
    assert row["slippage_source"] == "book"
    assert row["slippage_bps"] == pytest.approx(2.0)
    assert row["capacity_usd"] == pytest.approx(0.5 * 100_000 * (1 + row["beta"]))  # half of ten levels, y leg


def test_the_way_out_walks_the_other_side_of_the_book(
    pair_panel: Panel, make_market: Callable[..., MarketState], make_book: Callable[..., OrderBook]
) -> None:
    # Asks from 100.01 on and one bid at 99.95: the mid is 99.98, each side 3 bps away.
    book = make_book("Y")
    lone_bid = OrderBook("Y", book.time, np.array([[99.95, 1000.0]]), book.asks)
    # With next to nothing at 100.01 a buyer pays 101, a seller still gets 99.95.
    steep = OrderBook("Y", book.time, lone_bid.bids, np.array([[100.01, 1e-6], [101.0, 1000.0]]))
    slippage = {}
    for name, y_book in (("lone", lone_bid), ("steep", steep)):
        market = make_market(COINS, books={"Y": y_book, "X": make_book("X")})
        row = screen(pair_panel, settings=SETTINGS, market=market).candidates.iloc[0]
        w_y, w_x = row["notional_y_usd"] / 1e4, row["notional_x_usd"] / 1e4
        slippage[name] = (row["slippage_bps"] - w_x * 2.0) / w_y
    sell = 1e4 * 0.03 / 99.98
    assert slippage["lone"] == pytest.approx(2 * sell)
    assert slippage["steep"] == pytest.approx(sell + 1e4 * 1.02 / 99.98, rel=1e-4)


def test_one_book_alone_is_not_enough(
    pair_panel: Panel, make_market: Callable[..., MarketState], make_book: Callable[..., OrderBook]
) -> None:
    market = make_market(COINS, books={"Y": make_book("Y")})
    assert screen(pair_panel, settings=SETTINGS, market=market).candidates.loc[0, "slippage_source"] == "model"


@pytest.mark.parametrize("coin", COINS)
def test_a_known_book_limits_its_coin_where_the_other_has_none(
    pair_panel: Panel, make_market: Callable[..., MarketState], make_book: Callable[..., OrderBook], coin: str
) -> None:
    thin = make_market(COINS, books={coin: make_book(coin, level_usd=500.0)})  # 5,000 USD a side, half of it is 2,500
    row = screen(pair_panel, settings=SETTINGS, market=thin).candidates.iloc[0]
    weight = row["notional_y_usd" if coin == "Y" else "notional_x_usd"] / 1e4
    assert row["capacity_usd"] == pytest.approx(2_500 / weight)
    assert not row["qualifies"]


@pytest.mark.parametrize("spoilt", ["crossed", "nan"])
def test_a_broken_book_counts_as_none(
    pair_panel: Panel,
    make_market: Callable[..., MarketState],
    make_book: Callable[..., OrderBook],
    spoilt: str,
) -> None:
    good = make_book("X")
    asks = good.asks * ([0.5, 1.0] if spoilt == "crossed" else [np.nan, 1.0])
    books = {"Y": make_book("Y"), "X": OrderBook("X", good.time, good.bids, asks)}
    row = screen(pair_panel, settings=SETTINGS, market=make_market(COINS, books=books)).candidates.iloc[0]
    assert row["slippage_source"] == "model"


@pytest.mark.parametrize(("level_usd", "depth"), [(200.0, "2,000"), (None, "0")])
def test_a_book_too_thin_for_a_leg_says_how_much_it_holds(
    pair_panel: Panel,
    make_market: Callable[..., MarketState],
    make_book: Callable[..., OrderBook],
    level_usd: float | None,
    depth: str,
) -> None:
    thin = make_book("Y", level_usd=level_usd or 1.0)
    if level_usd is None:
        thin = OrderBook("Y", thin.time, np.empty((0, 2)), thin.asks)
    market = make_market(COINS, books={"Y": thin, "X": make_book("X")})
    qualifies, misses = only(screen(pair_panel, settings=SETTINGS, market=market))
    assert not qualifies
    assert misses[0].startswith(f"the visible Y book is too thin: at most {depth} USD, the leg is ")
    assert misses[1].startswith("its volume and book take at most ")


def test_a_capacity_below_the_notional_fails_with_both_numbers(
    make_panel: Callable[..., Panel], make_pair: Callable[..., np.ndarray]
) -> None:
    panel = make_panel(make_pair(201), coins=COINS, notional=np.array([50_000.0, 80e6]))  # 1.2 M USD a day
    result = screen(panel, settings=ScreenSettings(window=200, notional_usd=100_000.0))
    row = result.candidates.iloc[0]
    assert row["capacity_usd"] == pytest.approx(12_000 * (1 + row["beta"]))
    expected = f"its volume and book take at most {row['capacity_usd']:,.0f} USD gross, the trade is 100,000"
    assert expected in row["misses"]


def test_leverage_above_what_a_coin_allows_fails(pair_panel: Panel, make_market: Callable[..., MarketState]) -> None:
    market = make_market(COINS, max_leverage=[3, 40])
    assert only(screen(pair_panel, settings=ScreenSettings(window=200, leverage=3.0), market=market))[0]
    result = screen(pair_panel, settings=ScreenSettings(window=200, leverage=5.0), market=market)
    assert only(result) == (False, ("leverage is 5, one leg allows 3",))


def test_a_leg_below_the_smallest_order_fails(pair_panel: Panel) -> None:
    misses = only(screen(pair_panel, settings=ScreenSettings(window=200, notional_usd=15.0)))[1]
    assert misses[0].endswith("the exchange takes no order below 10")


def test_the_same_coin_twice_is_not_called_cointegrated(
    make_panel: Callable[..., Panel], make_walks: Callable[..., np.ndarray]
) -> None:
    walk = make_walks(201, 1, seed=9)
    result = screen(make_panel(np.hstack([walk, 2 * walk])), settings=SETTINGS)
    assert only(result)[1][0].startswith("cointegration cannot be judged: ")
    assert result.funnel.pairs_cointegrated == 0


def test_one_asset_twice_is_no_test_and_leaves_the_others_as_they_were(
    make_panel: Callable[..., Panel], make_walks: Callable[..., np.ndarray]
) -> None:
    walks = make_walks(201, 4, seed=9)
    twin = make_panel(np.column_stack([walks, 2 * walks[:, 0]]))
    result = screen(twin, settings=SETTINGS)
    both = result.candidate("C4", "C0")
    assert np.isnan([both.p_value, both.q_value, both.t_stat, both.sigma, both.zscore, both.net_edge_bps]).all()
    assert both.misses[0].startswith("cointegration cannot be judged: ")
    assert (result.candidates["y"].iloc[-1], result.candidates["x"].iloc[-1]) == ("C4", "C0")
    assert result.funnel.expected_by_luck == pytest.approx(0.05 * 9)  # of ten pairs nine are tests
    judged = result.candidates.dropna(subset=["p_value"])
    assert judged["q_value"].to_numpy() == pytest.approx(benjamini_yekutieli(judged["p_value"].to_numpy()))


def test_one_asset_twice_is_not_the_nearest_miss_of_the_others(
    make_panel: Callable[..., Panel], make_walks: Callable[..., np.ndarray]
) -> None:
    walks = make_walks(201, 3, seed=9)
    panel = make_panel(np.column_stack([walks, 2 * walks[:, 0]]))
    miss = screen(panel, settings=ScreenSettings(window=200, p_max=1e-9)).nearest_miss
    assert miss is not None
    assert {miss.y, miss.x} != {"C0", "C3"}


@pytest.mark.parametrize(("dependence", "rho_min"), [("any", 0.1), ("positive", 0.0), ("inverse", 0.0)])
def test_only_dependent_pairs_are_tested_and_counted(walks_panel: Panel, dependence: str, rho_min: float) -> None:
    whole = screen(walks_panel, settings=SETTINGS).candidates["correlation"]
    chosen = ScreenSettings(window=200, dependence=dependence, rho_min=rho_min)  # type: ignore[arg-type]
    result = screen(walks_panel, settings=chosen)
    wanted = {"any": whole.abs() >= rho_min, "positive": whole >= rho_min, "inverse": whole <= -rho_min}
    assert 0 < result.funnel.pairs_dependent == wanted[dependence].sum() == len(result.candidates) < 45
    assert result.funnel.pairs == 45
    assert result.funnel.expected_by_luck == pytest.approx(0.05 * len(result.candidates))


def test_no_dependent_pair_is_a_verdict_not_an_error(walks_panel: Panel) -> None:
    result = screen(walks_panel, settings=ScreenSettings(window=200, dependence="inverse", rho_min=0.9))
    assert result.candidates.empty
    assert result.nearest_miss is None
    assert result.verdict.text == "No pair qualifies: none of 45 pairs has a Spearman correlation of -0.9 or less."


@pytest.mark.parametrize(("n_coins", "words"), [(1, "only one coin is eligible"), (2, "no coin is eligible")])
def test_an_empty_or_lonely_universe_is_a_verdict_not_an_error(
    make_panel: Callable[..., Panel], make_walks: Callable[..., np.ndarray], n_coins: int, words: str
) -> None:
    notional = 1e6 if n_coins == 1 else 1.0
    result = screen(make_panel(make_walks(201, n_coins, seed=1), notional=notional), settings=SETTINGS)
    assert words in result.verdict.text
    assert result.candidates.empty
    assert result.top is None
    assert result.funnel.pairs == 0
    assert "qualifies" in result.candidates.columns
    assert result._repr_html_()
    assert repr(result).startswith("ScreenResult at 2025-01-09 09:00 UTC: No pair qualifies")


def test_a_window_longer_than_the_history_names_both(walks_panel: Panel) -> None:
    with pytest.raises(InputError, match=r"window of 201 bars needs 202 .* has 201"):
        screen(walks_panel, settings=ScreenSettings(window=201))


def test_a_panel_of_another_interval_is_refused(
    make_panel: Callable[..., Panel], make_walks: Callable[..., np.ndarray]
) -> None:
    panel = make_panel(make_walks(201, 3, seed=1), interval="5m")
    with pytest.raises(InputError, match="5m bars and the settings say 1h"):
        screen(panel, settings=SETTINGS)


def test_candidates_are_ranked_by_what_they_promise(walks_panel: Panel) -> None:
    table = screen(walks_panel, settings=ScreenSettings(window=200, p_max=0.5, z_in=1.0)).candidates
    passed = table["p_value"] < 0.5
    group = np.where(table["qualifies"], 0, np.where(passed, 1, 2))
    assert (np.diff(group) >= 0).all()
    assert set(group) == {0, 1, 2}
    for name, chosen in (("net_edge_bps", group == 0), ("net_edge_bps", group == 1), ("p_value", group == 2)):
        values = table.loc[chosen, name].dropna().to_numpy()
        assert (np.diff(values if name == "p_value" else -values) >= 0).all()


def test_the_nearest_miss_fails_the_fewest_gates_of_the_cointegrated(walks_panel: Panel) -> None:
    result = screen(walks_panel, settings=ScreenSettings(window=200, p_max=0.5, z_in=5.0))
    passed = result.candidates[result.candidates["p_value"] < 0.5]
    fewest = passed["misses"].map(len).min()
    best = passed[passed["misses"].map(len) == fewest]["net_edge_bps"].max()
    assert result.nearest_miss is not None
    assert result.nearest_miss.net_edge_bps == best
    assert len(result.nearest_miss.misses) == fewest


def test_where_nothing_is_cointegrated_the_lowest_p_is_nearest(walks_panel: Panel) -> None:
    result = screen(walks_panel, settings=ScreenSettings(window=200, p_max=1e-9))
    assert result.nearest_miss is not None
    assert result.nearest_miss.p_value == result.candidates["p_value"].min()
    assert result.funnel.pairs_cointegrated == 0


def test_hostile_coin_names_are_text_in_a_notebook(
    make_panel: Callable[..., Panel], make_pair: Callable[..., np.ndarray]
) -> None:
    names = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>')
    panel = make_panel(make_pair(201), coins=names, notional=np.array([20e6, 80e6]))
    html = screen(panel, settings=SETTINGS)._repr_html_()
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html


def test_a_result_survives_the_way_back_from_a_worker(pair_panel: Panel) -> None:
    result = screen(pair_panel, settings=SETTINGS)
    copy = pickle.loads(pickle.dumps(result))
    assert repr(copy.top) == repr(result.top)
    assert copy.funnel == result.funnel


def test_importing_the_package_does_not_load_scipy() -> None:
    code = "import sys, hlpairs_core.screening; sys.exit('scipy' in sys.modules or 'statsmodels' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
