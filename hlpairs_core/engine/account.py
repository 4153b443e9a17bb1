"""What the account of the settings pays, where there is one."""

from dataclasses import replace

from hlpairs_core.costs import CostModel, FeeSchedule
from hlpairs_core.engine.problems import Problems
from hlpairs_core.exceptions import ExchangeError, InputError
from hlpairs_core.exchange import HyperliquidClient

__all__ = ["account_costs"]


async def account_costs(
    client: HyperliquidClient, address: str | None, costs: CostModel, *, problems: Problems
) -> CostModel:
    """Return the costs with the fees of an account: its tier, its stake's and its referral's discount.

    Without an address they stay as they are, and so they do where the exchange does not say what the account pays: that
    is noted, for a dearer estimate is no reason to have none. The address itself is written nowhere.
    """
    if address is None:
        return costs
    try:
        schedule = FeeSchedule.from_user_fees(await client.user_fees(address))
        perp, spot = schedule.fee("perp"), schedule.fee("spot")
    except (ExchangeError, InputError) as error:
        problems.note("fees", f"what the account pays is not known, so {costs.taker_fee_bps:g} bps are taken: {error}")
        return costs
    return replace(
        costs,
        taker_fee_bps=perp.taker_bps,
        maker_fee_bps=perp.maker_bps,
        spot_taker_fee_bps=spot.taker_bps,
        spot_maker_fee_bps=spot.maker_bps,
    )
