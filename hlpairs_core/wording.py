"""Numbers in sentences: rounding must not make a sentence contradict itself."""

__all__ = ["by_luck", "digits_to_exceed", "printable", "signed", "stated", "told_apart"]

_MOST_DIGITS = 17


def stated(bound: float, digits: int) -> str:
    """Write a threshold with at least `digits` decimals, and as many as it has (up to nine)."""
    texts = [f"{bound:,.{more}f}" for more in range(digits, 10)]
    return next((text for text in texts if abs(_read(text) - bound) < 1e-9), texts[-1])


def told_apart(value: float, bound: float, digits: int) -> str:
    """Write a value with at least `digits` decimals, and as many as show on which side of a bound it lies."""
    texts = [f"{value:,.{more}f}" for more in range(digits, _MOST_DIGITS)]
    return next((text for text in texts if _side(_read(text), bound) == _side(value, bound)), texts[-1])


def digits_to_exceed(costs: list[float], income: list[float], digits: int) -> int:
    """Return how many decimals, at least `digits`, show that the costs add up to more than the income."""
    for more in range(digits, _MOST_DIGITS):
        surplus = sum(round(one, more) for one in costs) - sum(round(one, more) for one in income)
        if surplus > 0.5 * 10**-more:
            return more
    return digits


def signed(value: float, digits: int) -> str:
    """Write a number with its sign; what rounds to 0 has none."""
    text = f"{value:+.{digits}f}"
    return text if float(text) else text[1:]


def by_luck(count: float) -> str:
    """Write a nominal count of false positives: a least one (docs/statistics.md), and few are not rounded to none."""
    return f"{count:,.0f} or more" if count >= 10 else f"{count:.2g} or more"


def printable(text: str) -> str:
    """Return text in which what could steer a terminal is shown and not obeyed: names come from the exchange."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _read(text: str) -> float:
    return float(text.replace(",", ""))


def _side(value: float, bound: float) -> int:
    return int(value > bound) - int(value < bound)
