"""Columns that follow from records as these come."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from glue_jobs.parsing.records import load_record
from glue_jobs.schema.columns import Columns
from glue_jobs.schema.learning import Learning
from glue_jobs.schema.settle import settle_columns
from glue_jobs.schema.types import FLOAT64, INT64, STRING, list_of, map_of, struct_of
from ndjson_pipeline_tests.glue_jobs.generated import ANY_RECORD
from ndjson_pipeline_tests.glue_jobs.schema.test_observed import observed

KNOWN = {
    "a": list_of(struct_of({"b": INT64})),
    "b": map_of(struct_of({"a": STRING})),
    "c": struct_of({"a": list_of(list_of(struct_of({"x": FLOAT64})))}),
}
# Few names, so that places meet; lists in lists and objects in all of them.
names = st.sampled_from(["a", "b", "c", "x", "2026-01-30", "8f3a11c2"])
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
records = st.dictionaries(names, values, max_size=4) | ANY_RECORD


def learned(batches, known):
    learning = Learning(Columns(known))
    for batch in batches:
        loaded = [load_record(json.dumps(record).encode()) for record in batch]
        if loaded and not learning.is_primed:
            learning.prime(loaded[:1])
        learning.take(learning.observe(loaded))
    learning.finish()
    return learning.columns.types


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(records, max_size=4), max_size=6), st.sampled_from([{}, KNOWN]))
def test_in_whatever_order_records_come_the_columns_are_those_of_all(batches, known):
    wanted = settle_columns(known, observed([record for batch in batches for record in batch], known)).types
    assert learned(batches, known) == wanted
    assert learned(batches[::-1], known) == wanted
    assert learned([[record] for batch in batches for record in batch], known) == wanted


def test_new_members_within_lists_and_maps_are_news_at_once():
    learning = Learning(Columns(KNOWN))
    more = learning.observe([load_record(b'{"a":[{"c":1}],"b":{"k":{"d":true}},"c":{"a":[[{"y":"t"}]]}}')])
    learning.take(more)
    assert learning.columns.types["a"] == list_of(struct_of({"b": INT64, "c": INT64}))
    assert learning.columns.types["b"].item.members[-1][0] == "d"
    assert learning.columns.types["c"].by_name["a"].item.item.members[-1] == ("y", STRING)
