"""The fees of the settings' account, as the exchange says them."""

import httpx
import pytest

from hlpairs_core.costs import CostModel
from hlpairs_core.engine.account import account_costs
from hlpairs_core.exceptions import SettingsError
from hlpairs_core.settings import load_settings

ADDRESS = "0x" + "5a" * 20
LESS = {"userCrossRate": "0.000315", "userAddRate": "0.000105", "userSpotCrossRate": "0.00049"}


async def paid(world, address=ADDRESS):
    return await account_costs(world.client, address, CostModel(slippage_multiple=2.0), problems=world.state.problems)


async def test_an_account_pays_its_own_fees_less_its_referral_s_discount(world):
    world.wire.change = lambda request, answer: answer | LESS | {"activeReferralDiscount": "0.04"}
    costs = await paid(world)
    assert costs.taker_fee_bps == pytest.approx(3.15 * 0.96)
    assert costs.maker_fee_bps == pytest.approx(1.05 * 0.96)
    assert costs.spot_taker_fee_bps == pytest.approx(4.9 * 0.96)
    assert costs.slippage_multiple == 2.0
    assert world.wire.asked[-1] == {"type": "userFees", "user": ADDRESS}


async def test_without_an_account_nobody_is_asked(world):
    world.wire.asked.clear()
    assert await paid(world, None) == CostModel(slippage_multiple=2.0)
    assert world.wire.asked == []


@pytest.mark.parametrize("answer", [httpx.Response(422, text="no"), httpx.Response(200, json={"userCrossRate": "9"})])
async def test_what_the_exchange_does_not_say_is_noted_without_the_address(world, answer):
    world.wire.fault = lambda request: answer if request["type"] == "userFees" else None
    assert await paid(world) == CostModel(slippage_multiple=2.0)
    (problem,) = world.state.problems.all()
    assert problem["source"] == "fees"
    assert "so 4.5 bps are taken" in problem["text"]
    assert ADDRESS not in problem["text"]


async def test_an_address_in_any_spelling_is_in_no_message_and_no_status(world):
    """Wallets write some letters large, and the exchange is asked in small ones."""
    large = "0x" + "5A" * 20
    world.wire.fault = lambda request: httpx.Response(503) if request["type"] == "userFees" else None
    await paid(world, large)
    said = f"{world.state.problems.all()} {world.client.status()}".lower()
    assert "userfees" in said
    assert ADDRESS not in said


def test_what_is_no_address_is_refused(monkeypatch):
    monkeypatch.setenv("HLPAIRS_ADDRESS", "0x12")
    with pytest.raises(SettingsError, match="HLPAIRS_ADDRESS is '0x12'"):
        load_settings()
    monkeypatch.setenv("HLPAIRS_ADDRESS", ADDRESS)
    assert load_settings().address == ADDRESS
