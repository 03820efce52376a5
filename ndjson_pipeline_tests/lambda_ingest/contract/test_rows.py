"""Attributes of rows of any shape are read, or are None."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_ingest.contract.items import from_item, to_item
from lambda_ingest.contract.rows import date_of, instant_of, text_of, unchanged, whole_of

scalars = st.text() | st.binary() | st.booleans() | st.none() | st.integers(-(10**30), 10**30).map(Decimal)
sets = st.sets(st.text(min_size=1), min_size=1) | st.sets(st.integers().map(Decimal), min_size=1)
anything = st.recursive(
    scalars | sets,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1), inner, max_size=3),
    max_leaves=8,
)


@given(anything)
def test_no_attribute_of_any_kind_is_a_crash(value: Any) -> None:
    row = {"x": value}
    assert text_of(row, "x") in (None, value)
    whole = whole_of(row, "x")
    assert whole is None or whole == value
    instant_of(row, "x")
    date_of(row, "x")
    condition, names, values = unchanged(row, "x", "y")
    assert names == {"#was_x": "x", "#was_y": "y"}
    assert from_item(to_item(values)) == values
    assert condition.count(" AND ") == 1


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-30T00:00:00", "0001-01-01T00:00:00+23:59"])
def test_what_is_no_instant_is_none(text: str) -> None:
    assert instant_of({"x": text}, "x") is None


@pytest.mark.parametrize("text", ["2026-02-30", "\uff12\uff10\uff12\uff16-01-30", "2026-1-30", "20260130"])
def test_what_is_no_date_is_none(text: str) -> None:
    assert date_of({"x": text}, "x") is None


def test_what_a_row_lacks_must_be_lacking_still() -> None:
    assert unchanged({"status": "pending", "etag": None}, "status", "etag") == (
        "#was_status = :was_status AND attribute_not_exists(#was_etag)",
        {"#was_status": "status", "#was_etag": "etag"},
        {":was_status": "pending"},
    )
