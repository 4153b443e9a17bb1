"""The exchange's published fees (its documentation, "Fees", August 2026), in bps of a fill's notional."""

__all__ = ["MAKER_REBATES_BPS", "REFERRAL_DISCOUNT", "STAKING_DISCOUNTS", "VOLUME_TIERS_BPS"]

VOLUME_TIERS_BPS = (
    (0.0, (4.5, 1.5), (7.0, 4.0)),
    (5e6, (4.0, 1.2), (6.0, 3.0)),
    (25e6, (3.5, 0.8), (5.0, 2.0)),
    (100e6, (3.0, 0.4), (4.0, 1.0)),
    (500e6, (2.8, 0.0), (3.5, 0.0)),
    (2e9, (2.6, 0.0), (3.0, 0.0)),
    (7e9, (2.4, 0.0), (2.5, 0.0)),
)
"""Above which weighted volume of 14 days (USD, perps + 2 × spot); taker and maker of perps; of spot."""

STAKING_DISCOUNTS = (
    (0.0, 0.0),
    (10.0, 0.05),
    (100.0, 0.10),
    (1_000.0, 0.15),
    (10_000.0, 0.20),
    (100_000.0, 0.30),
    (500_000.0, 0.40),
)
"""Above how many staked HYPE; fraction taken off what is paid (a rebate stays as it is)."""

MAKER_REBATES_BPS = ((0.005, -0.1), (0.015, -0.2), (0.03, -0.3))
"""Above which share of the exchange's maker volume of 14 days; the maker's fee."""

REFERRAL_DISCOUNT = 0.04
"""For the first 25 million USD of an account that was referred."""
