"""Why a value is not in its column."""

import enum


class Reason(enum.StrEnum):
    """Why a value is in `_rescued`; the text stands in reports."""

    OTHER_KIND = "other kind"
    """A value of another kind than the column's, such as text among numbers."""
    NOT_EXACT = "not exact"
    """A number or an instant that the column's type can't give back as it was."""
    OUT_OF_RANGE = "out of range"
    """A number or an instant beyond those of the column's type, or a day that no calendar has."""
    NO_COLUMN = "no column"
    """A name that has no column, or an object's member that has none."""
    NOT_A_NUMBER = "not a number"
    """`NaN` or an infinity."""
    NOT_STORABLE = "not storable"
    """A name or text that no column can hold, such as one with half of a surrogate pair."""
    TOO_DEEP = "too deep"
    """A value nested deeper than columns are."""
