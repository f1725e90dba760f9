"""Numbers as they are read: large ones without an exponent."""

import pytest

from relprop.support.number_text import number_text


@pytest.mark.parametrize(
    ("value", "digits", "sign", "text"),
    [
        (2454.4, 3, "+", "+2454"),
        (2454.4, 5, "", "2454.4"),
        (-1323.7, 3, "+", "-1324"),
        (999.9, 3, "", "1000"),
        (123456.7, 5, "", "123457"),
        (0.012345, 3, "+", "+0.0123"),
        (1.5e-7, 3, "", "1.5e-07"),
        (float("inf"), 3, "", "inf"),
        (2e20, 3, "", "2e+20"),
    ],
)
def test_all_digits_before_the_point_are_kept(value, digits, sign, text):
    assert number_text(value, digits, sign) == text
