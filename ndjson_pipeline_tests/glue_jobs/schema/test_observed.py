"""What was seen of values, and the columns that follow, in memory that nothing makes grow."""

import json
import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glue_jobs.parsing.records import load_record
from glue_jobs.parsing.rows import rows_of
from glue_jobs.schema.hints import parse_hints
from glue_jobs.schema.limits import SchemaLimits
from glue_jobs.schema.observed import MOST_NAMES, Observed, Room
from glue_jobs.schema.settle import settle_columns
from glue_jobs.schema.split import split_record
from glue_jobs.schema.types import (
    DATE,
    FLOAT64,
    INT64,
    JSON,
    STRING,
    Kind,
    decimal,
    list_of,
    map_of,
    struct_of,
)
from ndjson_pipeline_tests.glue_jobs.generated import ANY_RECORD


def observed(records, known=None):
    seen, room = Observed(), Room()
    for record in records:
        seen.add_record(load_record(json.dumps(record).encode()), known or {}, room)
    return seen


def settled(records, known=None, limits=None, **hints):
    return settle_columns(known or {}, observed(records), limits, parse_hints(hints))


def ids(seed=1):
    made = random.Random(seed)
    while True:
        yield f"{made.getrandbits(48):012x}"


ID = ids()
DAYS = [f"2026-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 29)]


def members(count, value=1):
    return {next(ID): value for _ in range(count)}


@pytest.mark.parametrize(
    ("records", "wanted"),
    [
        ([{"m": members(3)} for _ in range(30)], map_of(INT64)),
        ([{"m": members(3, 1.5)} for _ in range(1000)], map_of(FLOAT64)),
        ([{"m": members(2, 1) | members(1, 0.5)} for _ in range(100)], map_of(FLOAT64)),
        ([{"m": members(300)}], map_of(INT64)),
        (
            [{"m": members(2, {"a": 1, "b": "x"})} for _ in range(10)],
            map_of(struct_of({"a": INT64, "b": STRING})),
        ),
        ([{"m": members(1, members(2))} for _ in range(100)], map_of(map_of(INT64))),
        ([{"m": {next(ID): members(30) for _ in range(30)}}], map_of(map_of(INT64))),
        ([{"m": members(64, {"a": 1, "b": "x"})}], map_of(struct_of({"a": INT64, "b": STRING}))),
        ([{"m": [members(1), members(2)]} for _ in range(100)], list_of(map_of(INT64))),
        ([{"m": {DAYS[n % 300 + k]: 1 for k in range(2)}} for n in range(300)], map_of(INT64)),
        (
            [{"m": {f"https://x.org/{n}": "t", f"https://x.org/{n}?": "t"}} for n in range(100)],
            map_of(STRING),
        ),
        ([{"m": members(1, 1) | members(1, "x")} for _ in range(100)], JSON),
        ([{"m": {"name": "x", **members(1)}} for _ in range(100)], JSON),
        ([{"m": members(1, [1]) | members(1, [])} for _ in range(100)], map_of(list_of(INT64))),
    ],
)
def test_names_that_are_data_become_a_map_or_text(records, wanted):
    assert settled(records).types["m"] == wanted


def sparse(count, share, records, value=1):
    made = random.Random(3)
    return [
        {"m": {f"opt{number}": value for number in range(count) if made.random() < share}}
        for _ in range(records)
    ]


@pytest.mark.parametrize(
    "records",
    [
        sparse(30, 0.03, 1000),
        sparse(30, 0.03, 100),
        sparse(30, 0.03, 10),
        sparse(100, 0.02, 500),
        sparse(30, 0.3, 20, {"value": 1, "unit": "x"}),
        [{"m": {f"signal{number}": number / 2 for number in range(2000)}} for _ in range(3)],
        [{"m": {f"setting{number}": number if number % 2 else "x" for number in range(150)}}],
    ],
)
def test_members_of_objects_stay_members(records):
    found = settled(records).types["m"]
    assert found.kind is Kind.STRUCT
    assert {name for record in records for name in record["m"]} == {name for name, _ in found.members}


def test_dense_signals_are_columns_and_so_are_sparse_ones():
    names = [f"sig_{number:04}" for number in range(5000)]
    dense = settled([{"ts": number, **dict.fromkeys(names, 1.5)} for number in range(5)])
    assert len(dense.types) == 5001
    made = random.Random(1)
    rare = settled([{"ts": n, **dict.fromkeys(made.sample(names, 50), 1.5)} for n in range(1000)])
    assert len(rare.types) > 4_900
    assert not dense.is_full
    assert not rare.is_full


def test_names_of_the_record_that_are_data_make_no_columns_and_keep_none_away():
    records = [{"id": n, "amount": 1.5, **members(20)} for n in range(1000)]
    records += [{"id": 1, "once_in_a_while": n} for n in range(30)]
    found = settled(records)
    assert found.types == {"amount": FLOAT64, "id": INT64, "once_in_a_while": INT64}
    assert found.data_places == {""}
    assert not found.is_full
    assert [(each.path, each.reason) for each in found.left_without] == [("", "names that look like data")]


def test_a_known_object_stays_one_and_gains_no_names_that_are_data():
    known = {
        "m": struct_of({"a": INT64}),
        "l": list_of(struct_of({"a": INT64})),
        "w": map_of(struct_of({"a": INT64})),
    }
    records = [
        {"m": {"a": 1, "b": 2, **members(3)}, "l": [members(1), {"c": 1}], "w": {next(ID): {"d": 1}}}
        for _ in range(100)
    ]
    found = settled(records, known)
    assert found.types == {
        "m": struct_of({"a": INT64, "b": INT64}),
        "l": list_of(struct_of({"a": INT64, "c": INT64})),
        "w": map_of(struct_of({"a": INT64, "d": INT64})),
    }
    assert found.data_places == {"m", "l[]"}


def test_an_object_has_at_most_so_many_members():
    records = [{f"k{number:03}": 1 for number in range(15)}, {"k007": 1, "k014": 1}]
    found = settled(records, limits=SchemaLimits(max_object_members=10))
    assert len(found.types) == 10
    assert {"k007", "k014", "k000"} <= found.types.keys()
    assert found.is_full
    assert found.left_without[0].path == "k009"
    assert "--MAX_OBJECT_MEMBERS" in found.left_without[0].reason
    assert ("", "k009") in found.closed


def test_a_schema_has_at_most_so_many_columns_and_those_of_most_values_come_first():
    records = [{"often": 1, "s": {f"k{number:03}": 1 for number in range(30)}} for _ in range(2)] + [
        {"often": 1}
    ]
    found = settled(records, {"old": INT64}, SchemaLimits(max_columns=12))
    assert "often" in found.types
    assert [name for name, _ in found.types["s"].members] == [f"k{number:03}" for number in range(10)]
    assert found.is_full
    assert not settled([{"old": 1}], {"old": INT64}, SchemaLimits(max_columns=1)).is_full


def test_once_half_full_a_column_needs_a_share_of_the_records():
    records = [{"id": 1}] * 300 + [{"id": 1, "rare": 1, "deep": {"rarer": 1}}]
    known = {f"c{number}": INT64 for number in range(5)}
    assert "rare" in settled(records, known, SchemaLimits(max_columns=20)).types
    found = settled(records, known, SchemaLimits(max_columns=10))
    assert found.types == {**known} | ({} if "id" not in found.types else {"id": INT64})
    assert {each.path for each in found.left_without} == {"rare", "deep.rarer"}
    assert not found.is_full


def test_hints_decide_when_a_place_gets_a_column():
    records = [
        {"when": "2026-01-30", "s": {"p": 1.10}, "l": [{"d": "x"}], "big": 10**400, "gone": 1, "t": None}
    ]
    found = settled(
        records,
        **{"when": "date", "s.p": "decimal(9,2)", "l[].d": "json", "big": "decimal(38,0)", "gone": "none"},
    )
    assert found.types == {
        "big": decimal(38, 0),
        "l": list_of(struct_of({"d": JSON})),
        "s": struct_of({"p": decimal(9, 2)}),
        "when": DATE,
    }
    assert ("", "gone") in found.closed
    hinted = settled([{"m": members(3)} for _ in range(100)], m="string")
    assert hinted.types == {"m": STRING}
    inside = settled([{"m": {"total": 1, **members(3)}} for _ in range(100)], **{"m.total": "double"})
    assert inside.types == {"m": struct_of({"total": FLOAT64})}


def described(found):
    return {name: str(column) for name, column in sorted(found.types.items())}


@settings(deadline=None, max_examples=30)
@given(st.lists(ANY_RECORD, min_size=1, max_size=12), st.integers(1, 11), st.randoms(use_true_random=False))
def test_merging_does_not_depend_on_the_order(records, cut, shuffler):
    whole = observed(records)
    shuffled = list(records)
    shuffler.shuffle(shuffled)
    merged = observed(shuffled[:cut])
    merged.merge(observed(shuffled[cut:]))
    assert merged == whole
    assert described(settle_columns({}, merged)) == described(settle_columns({}, whole))


def test_more_names_than_are_kept_apart_say_so_in_any_order():
    names = [f"n{number}" for number in range(MOST_NAMES + 1)]
    parts = [
        dict.fromkeys(names[start : start + 3000], 1) | {"real": 1} for start in range(0, len(names), 3000)
    ]
    for ordered in (parts, parts[::-1]):
        seen = Observed()
        for part in ordered:
            seen.merge(observed([part]))
        assert seen.is_overfull
        assert len(seen.names) <= MOST_NAMES
        assert seen.names["real"].values == len(parts)
        assert seen.merged_values().numbers == len(names) + len(parts)
    exact = observed([dict.fromkeys(names[:-1], 1)])
    assert not exact.is_overfull


def test_memory_follows_neither_names_nor_depth(monkeypatch):
    monkeypatch.setattr("glue_jobs.schema.observed.MOST_PLACES", 5_000)
    signals = {f"signal{number}": 1 for number in range(300)}
    rooms = [
        {"room": {next(ID): {f"m{n}": 1 for n in range(10)} for _ in range(3)}, "signals": signals}
        for _ in range(600)
    ]
    texts = [json.dumps(record).encode() for record in rooms]
    tracemalloc.start()
    try:
        seen = Observed()
        for start in range(0, len(texts), 100):
            more, room = Observed(), Room()
            for text in texts[start : start + 100]:
                more.add_record(load_record(text), {}, room)
            seen.merge(more)
            seen.compact()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(1 for _ in seen._places()) <= 5_000
    assert peak < 8_000_000
    types = settle_columns({}, seen).types
    assert types["room"].kind is Kind.MAP
    assert len(types["signals"].members) == 300


def test_279_kb_of_unique_names_take_a_few_mb():
    text = json.dumps({"id": 1, **members(17_000)}).encode()
    assert len(text) > 279_000
    tracemalloc.start()
    try:
        seen = observed([json.loads(text)])
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept < 8_000_000
    assert settle_columns({}, seen).types == {}


def test_a_table_teaches_what_its_records_would():
    """Where another parser made rows of records, their counts come from the rows."""
    records = [
        {
            "i": n,
            "f": n + 0.5,
            "t": "x",
            "b": True,
            "l": [1, None],
            "s": {"x": n, "y": ["t"]},
            "m": members(3),
        }
        for n in range(100)
    ]
    records.append({"i": 2**60})
    whole = observed(records)
    types = settle_columns({}, whole).types
    assert types["m"] == map_of(INT64)
    kept = [split_record(load_record(json.dumps(record).encode()), types).kept for record in records]
    table = rows_of(kept, types)
    seen = Observed()
    seen.add_table(table, types, {}, Room())
    assert settle_columns({}, seen).types == types
    assert seen.objects == 101
    assert (seen.names["i"].numbers, seen.names["i"].has_large) == (101, True)
    assert seen.names["m"].merged_values().numbers == 300
    beyond = Observed()
    beyond.add_table(table, types, {**types, "s": struct_of({"x": INT64})}, Room())
    assert list(beyond.names) == ["s"]
    assert list(beyond.names["s"].names) == ["y"]
