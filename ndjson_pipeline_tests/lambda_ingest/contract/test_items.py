"""Items of DynamoDB are written and read as boto3 does."""

from decimal import Decimal

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from lambda_ingest.contract.items import (
    cancellation_reasons,
    error_code,
    from_item,
    is_condition_failure,
    item_of_failure,
    to_item,
)

numbers = st.integers(-(10**30), 10**30) | st.decimals(
    -(10**9), 10**9, places=9, allow_nan=False, allow_infinity=False
)
values = st.recursive(
    st.text() | st.booleans() | numbers,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1, max_size=5), values, max_size=4))
def test_values_are_written_and_read_as_boto3_does(item: dict[str, object]) -> None:
    serializer, deserializer = TypeSerializer(), TypeDeserializer()
    written = {name: serializer.serialize(value) for name, value in item.items()}
    assert to_item(item) == written
    assert from_item(written) == {name: deserializer.deserialize(value) for name, value in written.items()}


def test_what_another_tool_wrote_is_read() -> None:
    item = {
        "words": {"SS": ["a", "b"]},
        "counts": {"NS": ["1", "2.5"]},
        "bytes": {"B": b"x"},
        "nothing": {"NULL": True},
    }
    assert from_item(item) == {
        "words": {"a", "b"},
        "counts": {Decimal(1), Decimal("2.5")},
        "bytes": b"x",
        "nothing": None,
    }


def test_what_is_none_is_left_out() -> None:
    assert to_item({"a": None, "b": 1}) == {"b": {"N": "1"}}


def test_a_float_is_refused() -> None:
    with pytest.raises(TypeError, match="got float"):
        to_item({"size": 0.1})


def test_a_refused_write_tells_what_refused_it() -> None:
    error = ClientError(
        {
            "Error": {"Code": "ConditionalCheckFailedException", "Message": "no"},
            "Item": {"status": {"S": "pending"}},  # type: ignore[typeddict-unknown-key]
        },
        "PutItem",
    )
    assert is_condition_failure(error)
    assert item_of_failure(error) == {"status": "pending"}
    assert cancellation_reasons(error) is None


def test_an_error_of_another_kind_has_no_code() -> None:
    assert error_code(ValueError("x")) == ""
    assert item_of_failure(ValueError("x")) is None
