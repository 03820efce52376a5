"""Two listings compared."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_ingest.audit.listing import without_match


@given(st.sets(st.text(max_size=4)), st.sets(st.text(max_size=4)))
def test_a_merge_finds_what_has_no_match(left: set[str], right: set[str]) -> None:
    def in_order(keys: set[str]) -> list[str]:
        return sorted(keys, key=lambda key: key.encode("utf-8", "surrogatepass"))

    pairs = without_match(
        in_order(left), in_order(right), left_key=lambda key: key, right_key=lambda key: key
    )
    assert {key for key, match in pairs if match is None} == left - right


def test_what_has_nothing_to_compare_with_is_not_read() -> None:
    def unread() -> Iterator[str]:
        yield pytest.fail("the records were read")

    assert list(without_match([], unread(), left_key=str, right_key=str)) == []
