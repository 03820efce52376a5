"""What columns hold of JSON's numbers and text: 64 bits, doubles, UTF-8."""

from typing import Final

# Up to here a double holds every whole number.
EXACT_DOUBLE: Final = 2**53
_WHOLE_MAX: Final = 2**63 - 1
_WHOLE_MIN: Final = -(2**63)
# Digits of the largest number, with a sign; longer text needs no conversion to be judged.
_WHOLE_LENGTH: Final = 20
_DOUBLE_LENGTH: Final = 310


class Whole(str):
    """A number written without fraction or exponent, as its text."""

    __slots__ = ()


class Fraction(str):
    """A number written with fraction or exponent, as its text."""

    __slots__ = ()


def is_whole(number: Whole) -> bool:
    """Return whether 64 bits hold the number."""
    return len(number) <= _WHOLE_LENGTH and _WHOLE_MIN <= int(number) <= _WHOLE_MAX


def is_exact_double(number: Whole) -> bool:
    """Return whether a double holds the number exactly."""
    return len(number) <= _DOUBLE_LENGTH and _is_exact(int(number))


def is_double(number: Fraction) -> bool:
    """Return whether a double holds the number, rounded as usual."""
    return abs(float(number)) != float("inf")


def is_text(value: str) -> bool:
    """Return whether the text has UTF-8: lone surrogates have none."""
    return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)


def _is_exact(number: int) -> bool:
    try:
        return int(float(number)) == number
    except OverflowError:
        return False
