"""Numbers in sentences: rounding must not make a sentence contradict itself."""

__all__ = ["by_luck", "stated", "told_apart"]

_MOST_DIGITS = 17


def stated(bound: float, digits: int) -> str:
    """Write a threshold with at least `digits` decimals, and as many as it has (up to nine)."""
    texts = [f"{bound:,.{more}f}" for more in range(digits, 10)]
    return next((text for text in texts if abs(_read(text) - bound) < 1e-9), texts[-1])


def told_apart(value: float, bound: float, digits: int) -> str:
    """Write a value with at least `digits` decimals, and as many as show on which side of a bound it lies."""
    texts = [f"{value:,.{more}f}" for more in range(digits, _MOST_DIGITS)]
    return next((text for text in texts if _side(_read(text), bound) == _side(value, bound)), texts[-1])


def by_luck(count: float) -> str:
    """Write an expected count: few are not rounded to none."""
    return f"{count:,.0f}" if count >= 10 else f"{count:.2g}"


def _read(text: str) -> float:
    return float(text.replace(",", ""))


def _side(value: float, bound: float) -> int:
    return int(value > bound) - int(value < bound)
