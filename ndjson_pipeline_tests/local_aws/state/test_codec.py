"""Values as JSON and back; nothing but listed classes is made."""

import json
import logging
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ndjson_pipeline.local_aws.errors import StateRefusedError
from ndjson_pipeline.local_aws.state.codec import Codec, Kept


class Thing:
    """Something of moto's."""

    def __init__(self, value):
        self.value = value
        self.lock = object()


class Stranger:
    """Something that is not listed."""


CODEC = Codec([Kept(Thing, {"lock": list})])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.datetimes(timezones=st.just(UTC) | st.none())
)
VALUES = st.recursive(
    SCALARS,
    lambda values: (
        st.lists(values)
        | st.lists(values).map(tuple)
        | st.sets(st.text())
        | st.dictionaries(st.text() | st.sampled_from(["$object", "$bytes"]), values)
        | st.dictionaries(st.integers(), values)
    ),
    max_leaves=10,
)


@given(VALUES)
def test_a_value_comes_back(value):
    assert CODEC.decode(json.loads(json.dumps(CODEC.encode(value)))) == value


def test_an_object_comes_back_with_what_is_made_anew():
    thing = CODEC.decode(json.loads(json.dumps(CODEC.encode({"a": Thing([Thing(datetime(2026, 1, 30))])}))))
    assert thing["a"].value[0].value == datetime(2026, 1, 30)
    assert thing["a"].lock == []


def test_what_is_not_listed_is_left_out_and_told(caplog):
    with caplog.at_level(logging.WARNING):
        document = CODEC.encode({"a": Stranger(), "b": 1})
    assert CODEC.decode(document) == {"a": None, "b": 1}
    assert "a Stranger of moto is not kept" in caplog.text


@pytest.mark.parametrize(
    "document",
    [
        {"$object": "Stranger", "attributes": {}},
        {"$object": "subprocess.Popen", "attributes": {}},
        {"$object": "Thing", "attributes": 3},
        {"$bytes": "no base64!"},
        {"$bytes": 1},
        {"$time": "yesterday"},
        {"$mapping": [1]},
        {"$unknown": 1},
    ],
    ids=str,
)
def test_what_was_never_written_is_refused(document):
    with pytest.raises(StateRefusedError):
        CODEC.decode({"a": [document]})
