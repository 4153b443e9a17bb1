"""Random numbers by address: the same keys give the same number, in any order and in any process.

A counter-based generator (the SplitMix64 finaliser, Steele, Lea and Flood 2014) needs no state, so that one
minute of one coin can be computed without everything before it, and a restart at any time finds the same market.
"""

from enum import IntEnum
from zlib import crc32

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from hlpairs_core._typing import FloatArray, IntArray

__all__ = ["Stream", "fat_tailed", "name_keys", "normals", "uniforms"]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_MASK = (1 << 64) - 1
_CUT = 10.0


class Stream(IntEnum):
    """What a random number is for; streams with different numbers are independent."""

    MARKET = 1
    ACTIVITY = 2
    SECTOR = 3
    OWN = 4
    GAP = 6
    WICK_UP = 7
    WICK_DOWN = 8
    VOLUME = 9
    SILENCE = 10
    FUNDING = 11
    JITTER = 12
    BREAK = 13
    OWN_ACTIVITY = 14
    JUMP = 15
    RELATION = 16
    OWN_VOLUME = 17
    SPIKE = 18
    LAST_TRADE = 19
    PATH_SHARED = 20
    PATH_OWN = 21
    PATH_VOLUME = 22
    TRADES = 23
    PATH_PACE = 40
    STEP = 41
    PRINT = 42
    QUOTE = 43
    PREMIUM = 24
    BOOK_GAP = 25
    BOOK_SIZE = 26
    INTEREST = 28
    PARAMETER = 29


def uniforms(seed: int, stream: Stream, *keys: ArrayLike) -> FloatArray:
    """Uniform numbers in the open interval (0, 1), one for each broadcast combination of integer keys.

    Put keys of small shape first: each key is mixed in at the shape broadcast so far.
    """
    with np.errstate(over="ignore"):
        state = _mixed(np.asarray([(seed * 0x2545F4914F6CDD1D + int(stream)) & _MASK], dtype=np.uint64))
        for key in keys:
            state = _mixed(state ^ (np.asarray(key, dtype=np.int64).astype(np.uint64) * _GOLDEN + _GOLDEN))
    out: FloatArray = ((state >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    return out


def normals(seed: int, stream: Stream, *keys: ArrayLike) -> FloatArray:
    """Standard normal numbers, addressed as in `uniforms`."""
    out: FloatArray = ndtri(uniforms(seed, stream, *keys))
    return out


def fat_tailed(seed: int, stream: Stream, *keys: ArrayLike) -> FloatArray:
    """Numbers of unit variance from Student's t with four degrees of freedom, cut at ±10; addressed as in `uniforms`.

    The quantile function of four degrees of freedom has a closed form (Shaw, "Sampling Student's T distribution",
    Journal of Computational Finance 9, 2006).
    """
    chance = uniforms(seed, stream, *keys)
    root = np.sqrt(4 * chance * (1 - chance))
    size = np.sqrt(2 * np.maximum(np.cos(np.arccos(root) / 3) / root - 1, 0.0))
    out: FloatArray = np.copysign(np.minimum(size, _CUT), chance - 0.5)
    return out


def name_keys(names: tuple[str, ...]) -> IntArray:
    """Return stable integer keys of coin names, shape (n_names,)."""
    return np.array([crc32(name.encode()) for name in names], dtype=np.int64)


def _mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = (state ^ (state >> np.uint64(30))) * _MIX_1
    state = (state ^ (state >> np.uint64(27))) * _MIX_2
    return state ^ (state >> np.uint64(31))
