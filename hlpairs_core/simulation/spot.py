"""The one spot pair of a simulated exchange: there because clients will not load without any."""

from typing import Any

__all__ = ["SPOT_CONTEXTS", "SPOT_META", "SPOT_MIDS"]

_PRICE = "0.2"

SPOT_META: dict[str, Any] = {
    "universe": [{"tokens": [1, 0], "name": "PURR/USDC", "index": 0, "isCanonical": True}],
    "tokens": [
        {
            "name": "USDC",
            "szDecimals": 8,
            "weiDecimals": 8,
            "index": 0,
            "tokenId": "0x6d1e7cde53ba9467b783cb7c530ce054",
            "isCanonical": True,
            "evmContract": None,
            "fullName": None,
            "deployerTradingFeeShare": "0.0",
        },
        {
            "name": "PURR",
            "szDecimals": 0,
            "weiDecimals": 5,
            "index": 1,
            "tokenId": "0xc1fb593aeffbeb02f85e0308e9956a90",
            "isCanonical": True,
            "evmContract": None,
            "fullName": None,
            "deployerTradingFeeShare": "0.0",
        },
    ],
}

SPOT_CONTEXTS: list[dict[str, Any]] = [
    {
        "prevDayPx": _PRICE,
        "dayNtlVlm": "0.0",
        "markPx": _PRICE,
        "midPx": _PRICE,
        "circulatingSupply": "600000000.0",
        "coin": "PURR/USDC",
        "totalSupply": "600000000.0",
        "dayBaseVlm": "0.0",
    }
]

SPOT_MIDS: dict[str, str] = {"PURR/USDC": _PRICE}
