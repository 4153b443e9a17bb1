"""Numba, the optional extra `fast`: looked for once, imported by the first call that can use it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache, partial
from typing import Any, TypeVar, cast

from hlpairs_core.exceptions import InputError

__all__ = ["jit", "use_numba"]

Function = TypeVar("Function", bound=Callable[..., object])


def use_numba(accelerate: bool | None) -> bool:
    """Say whether to run compiled code: None means "where Numba can be imported".

    Raises
    ------
    InputError
        If it is asked for and Numba cannot be imported.
    """
    if accelerate is False:
        return False
    problem = _import_problem()
    if accelerate and problem:
        raise InputError(f"accelerate=True needs Numba ({problem}): install hlpairs[fast], or leave it out")
    return not problem


@cache
def _import_problem() -> str:
    try:
        importlib.import_module("numba")
    except ImportError as error:
        return str(error)
    return ""


def jit(function: Function) -> Function:
    """Compile a function when it is first called, and keep the result on disk where a folder can be written.

    Sums may be taken in another order than written; NaN and infinity keep their meaning.
    """
    numba: Any = importlib.import_module("numba")
    compiled = partial(numba.njit, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})
    try:
        return cast(Function, compiled(cache=True)(function))
    except RuntimeError:
        # Neither the package's folder nor the user's cache can be written: every process compiles for itself.
        return cast(Function, compiled()(function))
