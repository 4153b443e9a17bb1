"""Spot tokens are known by their ids; a name proves nothing."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from hlpairs_core.exceptions import InputError
from hlpairs_core.exchange.spot import SpotMeta, parse_spot_meta
from hlpairs_core.market import Panel, PanelReport
from hlpairs_core.market.joined import join_spot
from hlpairs_core.market.spot_names import KNOWN_SPOT, USDC_ID, SpotMatch, match_recorded, match_spot, perp_rows

# From the exchange's documentation of asset ids, and Unit's list of tokens.
UBTC, HYPE = "0x8f254b963e8468305d409b33aa137c67", "0x0d01dc56dcaaca66ad901c959b4011ec"
UBONK = "0xb113d34e351cf195733c98442530c099"
PERPS = ("BTC", "HYPE", "kBONK", "PUMP")


def token(name: str, index: int, token_id: str) -> dict[str, Any]:
    return {"name": name, "szDecimals": 2, "index": index, "tokenId": token_id, "isCanonical": False}


def meta(*bases: tuple[str, str], quote: dict[str, Any] | None = None) -> SpotMeta:
    """Pairs @1, @2, ... of tokens (name, id) against USDC."""
    tokens = [quote or token("USDC", 0, USDC_ID), *(token(name, 10 + i, one) for i, (name, one) in enumerate(bases))]
    universe = [
        {"name": f"@{i + 1}", "index": i + 1, "tokens": [10 + i, 0], "isCanonical": False} for i in range(len(bases))
    ]
    return parse_spot_meta("spotMeta", {"tokens": tokens, "universe": universe})


def panel(coins: tuple[str, ...], close: Any, *, interval: str = "1h", start: str = "2025-01-01T00:00Z") -> Panel:
    close = np.asarray(close, dtype=float)
    time = pd.date_range(start, periods=len(close), freq={"1h": "1h", "30m": "30min"}[interval]).as_unit("ms")
    volume = np.full(close.shape, 7.0)
    return Panel(
        time, coins, interval, close, close, close, close, volume, 0 * close, PanelReport(0, 0, True, pd.DataFrame())
    )


def test_known_tokens_are_matched_by_their_ids() -> None:
    found = match_spot(meta(("UBTC", UBTC), ("HYPE", HYPE.upper().replace("X", "x"))), PERPS)
    assert found == (
        SpotMatch(coin="@1", token="UBTC", perp="BTC"),
        SpotMatch(coin="@2", token="HYPE", perp="HYPE"),
    )


def test_a_thousand_ubonk_are_one_kbonk() -> None:
    (found,) = match_spot(meta(("UBONK", UBONK)), PERPS)
    assert (found.perp, found.per_perp) == ("kBONK", 1000.0)


@pytest.mark.parametrize("name", ["BTC", "UBTC", "HYPE", "PUMP"])
def test_a_token_that_only_has_the_name_is_matched_with_nothing(name: str) -> None:
    """As the exchange's own PUMP/USDC, which is not the coin of the perpetual PUMP."""
    assert match_spot(meta((name, "0xefa7e286b99ea49ce6a21d21bb41636f")), PERPS) == ()


def test_a_pair_that_is_not_priced_in_usdc_is_left_out() -> None:
    for quote in (token("USDT0", 0, "0x25faedc3f054130dbb4e4203aca63567"), token("USDC", 0, "0x" + "5" * 32)):
        assert match_spot(meta(("UBTC", UBTC), quote=quote), PERPS) == ()


def test_a_perpetual_that_does_not_trade_is_left_out() -> None:
    assert match_spot(meta(("UBTC", UBTC)), ["ETH"]) == ()


def test_each_row_of_the_table_has_its_own_id_and_a_source() -> None:
    ids = [one.token_id for one in KNOWN_SPOT]
    assert len(set(ids)) == len(ids) == len({one.token for one in KNOWN_SPOT}) == len({one.perp for one in KNOWN_SPOT})
    assert all(len(one) == 34 and one.startswith("0x") and int(one, 16) and one == one.lower() for one in ids)
    assert all(one.source for one in KNOWN_SPOT)
    assert {one.perp for one in KNOWN_SPOT if one.per_perp != 1} == {"kBONK"}
    assert {"UBTC", "UETH", "USOL", "UFART", "UBONK", "UPUMP", "UXPL", "UENA", "HYPE", "PURR"} <= {
        one.token for one in KNOWN_SPOT
    }


def test_recorded_tokens_get_a_name_that_no_perpetual_has() -> None:
    found = match_recorded(["HYPE", "UBTC", "UFART", "BTC", "NOVA"], ["HYPE", "BTC", "NOVA"])
    assert [(one.coin, one.perp) for one in found] == [("HYPE/USDC", "HYPE"), ("UBTC/USDC", "BTC")]


def test_a_unit_of_spot_is_as_much_of_the_coin_as_one_of_the_perpetual() -> None:
    perps = panel(("kBONK",), [[0.020], [0.021], [0.022]])
    spots = panel(("@194",), [[0.0000201], [0.0000211]], start="2025-01-01T01:00Z")
    joined = join_spot(perps, spots, [SpotMatch(coin="@194", token="UBONK", perp="kBONK", per_perp=1000.0)])
    assert joined.coins == ("kBONK", "@194")
    np.testing.assert_allclose(joined.close[:, 1], [np.nan, 0.0201, 0.0211])
    np.testing.assert_allclose(joined.volume[:, 1], [np.nan, 0.007, 0.007])
    np.testing.assert_allclose(joined.notional[1:, 1], spots.notional[:, 0])
    assert np.isnan(joined.funding[:, 1]).all()


def test_what_cannot_be_joined_is_refused() -> None:
    one = [SpotMatch(coin="@1", token="UBTC", perp="BTC")]
    perps, spots = panel(("BTC",), [[1.0], [1.0]]), panel(("@1",), [[1.0], [1.0]])
    with pytest.raises(InputError, match="perps have 1h bars and spots 30m: give panels of one interval"):
        join_spot(perps, panel(("@1",), [[1.0], [1.0]], interval="30m"), one)
    with pytest.raises(InputError, match="no spot pair is matched"):
        join_spot(perps, spots, [])
    with pytest.raises(InputError, match="bars of spots open at 00:20, those of perps at 00:00"):
        join_spot(perps, panel(("@1",), [[1.0], [1.0]], start="2025-01-01T00:20Z"), one)
    with pytest.raises(InputError, match="cannot select"):
        join_spot(perps, spots, [SpotMatch(coin="@9", token="UBTC", perp="BTC")])


@pytest.mark.parametrize("dtype", ["object", "category"])
def test_of_stored_rows_those_of_perpetuals_are_told_by_their_names(dtype: str) -> None:
    names = ["BTC", "@142", "PURR", "PURR/USDC", "kBONK", "xyz:TSLA", "BTC"]
    table = pd.DataFrame({"coin": pd.Series(names, dtype=dtype), "close": range(7)})
    kept = perp_rows(table)
    assert kept["coin"].tolist() == ["BTC", "PURR", "kBONK", "BTC"]
    assert kept["close"].tolist() == [0, 2, 4, 6]
    assert kept.index.tolist() == [0, 1, 2, 3]
    assert set(kept["coin"].astype("category").cat.categories) == {"BTC", "PURR", "kBONK"}
    assert len(table) == 7


def test_without_spot_the_rows_stay_as_they_are() -> None:
    table = pd.DataFrame({"coin": ["BTC", "PURR"], "close": [1.0, 2.0]})
    pd.testing.assert_frame_equal(perp_rows(table), table)
    assert perp_rows(table.iloc[:0]).empty
