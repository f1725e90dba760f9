"""Numbers as they are read: a few digits, and large ones in full.

Takes a number. Gives text. Must not know what it counts.
"""

from typing import Literal

_FULL = 1e15  # below it a number is written without an exponent


def number_text(value: float, digits: int = 3, sign: Literal["", "+"] = "") -> str:
    """Write a number in some digits; all those before the point are kept.

    Args:
        value: The number.
        digits: How many, where more would follow the point.
        sign: "+" for one before positive numbers too.

    Example:
        >>> number_text(0.12345), number_text(2454.4), number_text(2454.4, 5)
        ('0.123', '2454', '2454.4')
    """
    text = f"{value:{sign}.{digits}g}"
    return f"{value:{sign}.0f}" if "e+" in text and abs(value) < _FULL else text
