"""Answers to ``POST /exchange``: every action is read, and refused."""

import re
from typing import Any

from hlpairs_core.exceptions import InputError
from hlpairs_core.simulation.fields import text, whole
from hlpairs_core.simulation.reply import Reply

__all__ = ["refusal"]

_WORD = re.compile(r"0x[0-9a-fA-F]{1,64}")
# Some clients leave the prefix of a vault's address out.
_VAULT = re.compile(r"(0x)?[0-9a-fA-F]{40}")
_RECOVERY = (0, 1, 27, 28)


def refusal(request: Any) -> Reply:
    """Answer a signed action the way the exchange refuses one: 200, and an error in words.

    Raises
    ------
    InputError
        If it is no signed action (the exchange answers 422).
    """
    if not isinstance(request, dict):
        raise InputError(f"a request must be a JSON object, got {type(request).__name__}")
    action = request.get("action")
    if not isinstance(action, dict):
        raise InputError(f"`action` must be an object, got {type(action).__name__}")
    text(action, "type")
    whole(request, "nonce")
    _check_signature(request.get("signature"))
    _check_vault(request.get("vaultAddress"))
    if request.get("expiresAfter") is not None:
        whole(request, "expiresAfter")
    return Reply({"status": "err", "response": "Trading is halted: this exchange is simulated and takes no actions."})


def _check_signature(signature: Any) -> None:
    if not isinstance(signature, dict):
        raise InputError(f"`signature` must be an object, got {type(signature).__name__}")
    for key in ("r", "s"):
        if _WORD.fullmatch(text(signature, key)) is None:
            raise InputError(f"`signature.{key}` must be 0x and at most 64 hexadecimal digits")
    if whole(signature, "v") not in _RECOVERY:
        raise InputError(f"`signature.v` must be one of {_RECOVERY}, got {signature['v']}")


def _check_vault(vault: Any) -> None:
    if vault is not None and not (isinstance(vault, str) and _VAULT.fullmatch(vault)):
        raise InputError(f"`vaultAddress` must be an address or null, got {vault!r}")
