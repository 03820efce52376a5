"""What columns hold of JSON's numbers and text, judged by digits and never through a float."""

from __future__ import annotations

from typing import Final, NamedTuple

from glue_jobs.schema.reasons import Reason

# Up to here a double holds every whole number.
EXACT_DOUBLE: Final = 2**53
WHOLE_MAX: Final = 2**63 - 1
WHOLE_MIN: Final = -(2**63)
# Digits of the largest number of 64 bits, with a sign.
_WHOLE_LENGTH: Final = 20
# Digits of the largest double's whole part, with a sign.
_DOUBLE_LENGTH: Final = 310
# So many significant digits any double gives back, and no double more than the other.
_SAFE_LENGTH: Final = 16
_MOST_DIGITS: Final = 17
# Longer exponents are beyond every type; so long a line can't be that it would make good for them.
_EXPONENT_LENGTH: Final = 12


class Whole(str):
    """A number written without fraction or exponent, as its text."""

    __slots__ = ()


class Fraction(str):
    """A number written with fraction or exponent, as its text."""

    __slots__ = ()


class NotANumber(str):
    """`NaN`, `Infinity` or `-Infinity`, as its text: no JSON, but written by many for a missing number."""

    __slots__ = ()


class Digits(NamedTuple):
    """A decimal number: its digits times a power of ten.

    Attributes:
        is_negative: whether it has a minus; a zero may.
        digits: without zeros at their ends; empty for zero.
        exponent: of ten; 0 for zero.
    """

    is_negative: bool
    digits: str
    exponent: int

    def in_units(self, scale: int) -> int:
        """Return how many units of 10^-scale the number is; it must be a multiple of the unit."""
        value: int = int(self.digits or "0") * 10 ** (self.exponent + scale if self.digits else 0)
        return -value if self.is_negative else value


def digits_of(number: Whole | Fraction) -> Digits:
    """Take a number apart; nothing is rounded, whatever its length."""
    mantissa, _, exponent_text = number.replace("E", "e").partition("e")
    is_negative = mantissa.startswith("-")
    whole, _, fraction = mantissa.removeprefix("-").partition(".")
    significant = (whole + fraction).lstrip("0")
    digits = significant.rstrip("0")
    if not digits:
        return Digits(is_negative, "", 0)
    size = exponent_text.lstrip("+-").lstrip("0")
    exponent = 10**_EXPONENT_LENGTH if len(size) > _EXPONENT_LENGTH else int(size or "0")
    exponent = -exponent if exponent_text.startswith("-") else exponent
    return Digits(is_negative, digits, exponent - len(fraction) + len(significant) - len(digits))


def whole_problem(number: Whole | Fraction) -> Reason | None:
    """Return why a column of 64-bit numbers can't give a number back; None where it can."""
    if isinstance(number, Whole):
        is_within = len(number) <= _WHOLE_LENGTH and WHOLE_MIN <= int(number) <= WHOLE_MAX
        return None if is_within else Reason.OUT_OF_RANGE
    found = digits_of(number)
    if found.exponent < 0:
        return Reason.NOT_EXACT
    if len(found.digits) + found.exponent >= _WHOLE_LENGTH:
        return Reason.OUT_OF_RANGE
    return None if WHOLE_MIN <= found.in_units(0) <= WHOLE_MAX else Reason.OUT_OF_RANGE


def double_problem(number: Whole | Fraction) -> Reason | None:
    """Return why a column of doubles can't give a number back; None where it can.

    A whole number must be the double exactly. Another one is given back where it is the double rounded to as
    many digits as the number has, and they are 17 at most: 0.1 and 19.99 are, and nothing of 18 digits is. At
    a tie both neighbours are: of 2^-24 = 5.9604644775390625e-08 one program prints ...062e-08, and another
    ...063e-08.
    """
    if isinstance(number, Whole):
        return _whole_in_double(number)
    if len(number) <= _SAFE_LENGTH and "e" not in number and "E" not in number:
        return None
    value = float(number)
    if repr(value) == number:
        return None
    if abs(value) == float("inf"):
        return Reason.OUT_OF_RANGE
    found = digits_of(number)
    if len(found.digits) > _MOST_DIGITS or (found.digits and not value):
        return Reason.NOT_EXACT
    return None if _is_rounded(abs(value), found) else Reason.NOT_EXACT


def _is_rounded(value: float, number: Digits) -> bool:
    """Return whether a number is at most half a unit of its last digit away from a double."""
    above, below = value.as_integer_ratio()
    digits = int(number.digits or "0")
    power: int = 10 ** abs(number.exponent)
    unit, above = (power * below, above) if number.exponent >= 0 else (below, above * power)
    return 2 * abs(digits * unit - above) <= unit


def decimal_problem(number: Whole | Fraction, precision: int, scale: int) -> Reason | None:
    """Return why a column of decimals can't give a number back; None where it can."""
    found = digits_of(number)
    if not found.digits:
        return None
    if found.exponent < -scale:
        return Reason.NOT_EXACT
    return None if len(found.digits) + found.exponent + scale <= precision else Reason.OUT_OF_RANGE


def is_whole(number: Whole) -> bool:
    """Return whether 64 bits hold the number."""
    return whole_problem(number) is None


def is_text(value: str) -> bool:
    """Return whether the text has UTF-8: lone surrogates have none."""
    return value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value)


def _whole_in_double(number: Whole) -> Reason | None:
    if len(number) < _SAFE_LENGTH:
        return None
    if len(number) > _DOUBLE_LENGTH:
        return Reason.OUT_OF_RANGE
    value = int(number)
    try:
        return None if int(float(value)) == value else Reason.NOT_EXACT
    except OverflowError:
        return Reason.OUT_OF_RANGE
