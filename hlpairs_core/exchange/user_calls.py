"""Calls about accounts; they need no signature, only an address."""

from hlpairs_core.exchange import requests
from hlpairs_core.exchange.accounts import UserFees, UserRateLimit, parse_user_fees, parse_user_rate_limit
from hlpairs_core.exchange.arguments import check_address
from hlpairs_core.exchange.session import InfoCalls

__all__ = ["UserCalls"]


class UserCalls(InfoCalls):
    """Part of `HyperliquidClient`."""

    async def user_fees(self, address: str) -> UserFees:
        """Fetch what an account pays, its discounts, and the schedule they follow from.

        Raises
        ------
        InputError
            If `address` is not 0x and 40 hexadecimal digits.
        """
        return await self._ask(requests.of_user("userFees", check_address(address)), parse_user_fees)

    async def user_rate_limit(self, address: str) -> UserRateLimit:
        """Fetch how many orders and cancels an account has sent, and may send.

        Raises
        ------
        InputError
            If `address` is not 0x and 40 hexadecimal digits.
        """
        return await self._ask(requests.of_user("userRateLimit", check_address(address)), parse_user_rate_limit)
