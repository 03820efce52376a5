import pyarrow as pa
import pytest

from glue_jobs.errors import ReservedColumnError, SchemaConflictError
from glue_jobs.schema import (
    LearnedSchema,
    TypesConflictError,
    conform,
    parse_hint,
    same_columns,
    storable,
    text_stays_text,
    unify_types,
)

EMPTY = pa.struct([])


@pytest.mark.parametrize(
    ("known", "found", "unified"),
    [
        (pa.int64(), pa.float64(), pa.float64()),
        (pa.float64(), pa.int64(), pa.float64()),
        (pa.null(), pa.string(), pa.string()),
        (pa.string(), pa.null(), pa.string()),
        (pa.list_(pa.null()), pa.list_(pa.int64()), pa.list_(pa.int64())),
        (EMPTY, pa.struct([("a", pa.int64())]), pa.struct([("a", pa.int64())])),
        (
            pa.struct([("a", pa.int64()), ("b", pa.null())]),
            pa.struct([("c", pa.bool_()), ("a", pa.float64())]),
            pa.struct([("a", pa.float64()), ("b", pa.null()), ("c", pa.bool_())]),
        ),
    ],
)
def test_unifies(known, found, unified):
    assert unify_types("x", known, found) == unified


def test_a_conflict_names_the_inner_column():
    with pytest.raises(TypesConflictError) as caught:
        unify_types("x", pa.list_(pa.struct([("a", pa.int64())])), pa.list_(pa.struct([("a", pa.string())])))
    assert caught.value.column == "x[].a"


def test_a_conflict_of_files_names_both_and_the_types():
    learned = LearnedSchema()
    assert learned.learn(pa.schema([("n", pa.int64())]), "s3://b/1")
    assert not learned.learn(pa.schema([("n", pa.null())]), "s3://b/2")
    with pytest.raises(SchemaConflictError, match=r"'n' is int64 in s3://b/1 but string in s3://b/3"):
        learned.learn(pa.schema([("n", pa.string())]), "s3://b/3")


def test_added_columns_are_reserved():
    with pytest.raises(ReservedColumnError, match="_source_file"):
        LearnedSchema().learn(pa.schema([("_source_file", pa.string())]), "s3://b/1")


def test_timestamps_are_text_however_deep():
    deep = pa.struct([("a", pa.list_(pa.struct([("t", pa.timestamp("s"))])))])
    text = pa.struct([("a", pa.list_(pa.struct([("t", pa.string())])))])
    assert text_stays_text(pa.schema([("x", deep)])) == pa.schema([("x", text)])


def test_a_hint_leaves_out_what_has_no_values_yet():
    schema = pa.schema(
        [
            ("n", pa.null()),
            ("l", pa.list_(pa.null())),
            ("s", pa.struct([("a", pa.null()), ("b", pa.int64())])),
            ("t", pa.string()),
        ]
    )
    assert parse_hint(schema) == pa.schema([("s", pa.struct([("b", pa.int64())])), ("t", pa.string())])


def test_stores_columns_without_values_as_text():
    schema = pa.schema([("n", pa.null()), ("e", EMPTY), ("l", pa.list_(EMPTY)), ("i", pa.int64())])
    text = pa.string()
    assert storable(schema) == pa.schema([("n", text), ("e", text), ("l", pa.list_(text)), ("i", pa.int64())])


def test_conforms_order_missing_columns_and_empty_objects():
    table = pa.table(
        {
            "l": pa.array([[{}, None], None], pa.list_(EMPTY)),
            "s": pa.array([{"e": {}, "i": 1}, None], pa.struct([("e", EMPTY), ("i", pa.int64())])),
            "e": pa.array([{}, None], EMPTY),
        }
    )
    wanted = pa.schema(
        [
            ("new", pa.string()),
            ("e", pa.string()),
            ("s", pa.struct([("i", pa.float64()), ("x", pa.bool_()), ("e", pa.string())])),
            ("l", pa.list_(pa.string())),
        ]
    )
    result = conform(table, wanted)
    result.validate(full=True)
    assert result.schema == wanted
    assert result.to_pylist() == [
        {"new": None, "e": "{}", "s": {"i": 1.0, "x": None, "e": "{}"}, "l": ["{}", None]},
        {"new": None, "e": None, "s": None, "l": None},
    ]


def test_empty_objects_take_fields_that_others_have():
    table = pa.table({"e": pa.array([{}, None], EMPTY)})
    wanted = pa.schema([("e", pa.struct([("a", pa.int64())]))])
    assert conform(table, wanted).to_pylist() == [{"e": {"a": None}}, {"e": None}]


def test_refuses_inexact_whole_numbers_without_showing_them():
    table = pa.table({"n": [2**53 + 1]})
    with pytest.raises(TypesConflictError) as caught:
        conform(table, pa.schema([("n", pa.float64())]))
    assert str(2**53 + 1) not in str(caught.value)


def test_same_columns_in_any_order():
    left, right = (
        pa.schema([("a", pa.int64()), ("b", pa.string())]),
        pa.schema([("b", pa.string()), ("a", pa.int64())]),
    )
    assert same_columns(left, right)
    assert not same_columns(left, left.set(0, pa.field("a", pa.float64())))
