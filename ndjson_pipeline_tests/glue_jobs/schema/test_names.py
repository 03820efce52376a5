"""Names that are data: told by counts, by how they are spelled, and by a contract's history."""

import uuid

import pytest

from glue_jobs.schema.growth import growing_places
from glue_jobs.schema.hints import type_text
from glue_jobs.schema.name_shapes import is_spelled_like_a_value
from glue_jobs.schema.settle import settle_columns
from glue_jobs.schema.types import FLOAT64, INT64, Kind, struct_of
from ndjson_pipeline_tests.glue_jobs.schema.test_observed import observed, settled

SPELLINGS = {
    "hexadecimal ids": lambda number: f"{number * 2654435761:012x}1",
    "uuids": lambda number: str(uuid.UUID(int=number * 7919**9)),
    "days": lambda number: f"{2000 + number // 336}-{1 + number // 28 % 12:02}-{1 + number % 28:02}",
    "instants": lambda number: f"2026-01-30T{number // 60 % 24:02}:{number % 60:02}:{number // 1440:02}Z",
    "urls": lambda number: f"https://example.com/p/{number}?q=1",
    "addresses": lambda number: f"user{number}@example.com",
    "numbers": str,
}


@pytest.mark.parametrize(
    "name",
    [
        "42", "2026-01", "2026-01-30", "2026/01/30", "2026-01-30 12:00", "20260130", "8f3a11c2",
        "507f1f77bcf86cd799439011", "8c9e0f5a-77d1-4d0e-9a53-1b4a2f0c7d11", "01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "https://example.com", "s3://b/k", "ann@example.com", "10.0.0.1", "10.0.0.1:8080",
        "arn:aws:iam::123456789012:role/a",
    ],
)  # fmt: skip
def test_dates_ids_numbers_urls_and_addresses_are_values(name):
    assert is_spelled_like_a_value(name)


@pytest.mark.parametrize(
    "name",
    [
        "", "a", "amount", "deadbeef", "feedback", "accede", "sig_0001", "signal17", "x1", "1st", "k8s-app",
        "utf-8", "user.id", "id.orig_h", "cs(user-agent)", "2026", "v1.2.3", "a@b", "http", "$oid",
    ],
)  # fmt: skip
def test_words_are_not(name):
    assert is_spelled_like_a_value(name) is (name == "2026")


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("records", [1, 2, 5, 60])
def test_at_the_top_they_make_no_columns_and_keep_none_away(spelling, records):
    spell = SPELLINGS[spelling]
    each = 300 // records
    rows = [{"id": n, "amount": 1.5, **{spell(n * each + k): k for k in range(each)}} for n in range(records)]
    assert settled(rows).types == {"amount": FLOAT64, "id": INT64}
    assert settled(rows[::-1]).types == {"amount": FLOAT64, "id": INT64}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_in_an_object_sixteen_of_them_make_a_map(spelling):
    spell = SPELLINGS[spelling]
    for records in (1, 3):
        rows = [{"m": {spell(number): number for number in range(16)}}] * records
        assert type_text(settled(rows).types["m"]) == "map<string,bigint>"
        assert (
            settled([{"m": dict(list(row["m"].items())[:15])} for row in rows]).types["m"].kind is Kind.STRUCT
        )


def test_mixed_values_under_names_that_are_in_every_object_stay_members():
    days = [SPELLINGS["days"](number) for number in range(20)]
    rows = [{"m": {day: number if number % 2 else "x" for number, day in enumerate(days)}}] * 5
    assert settled(rows).types["m"].kind is Kind.STRUCT
    assert type_text(settled(rows[:1]).types["m"]) == "json"


def test_frequent_names_spelled_like_values_are_columns_until_there_are_many():
    rows = [{str(number): 1.5 for number in range(300)}] * 5
    found = settled(rows)
    assert len(found.types) == 300
    again = settled([{"2026-01-30": 1, "new": 1}] * 50, found.types)
    assert again.types.keys() - found.types.keys() == {"new"}
    assert again.data_places == {""}


def test_a_known_object_gets_no_more_than_a_few_of_them_whatever_each_run_shows():
    types = {"daily": struct_of({"total": INT64})}
    for day in map(SPELLINGS["days"], range(40)):
        types = dict(settled([{"daily": {"total": 1, day: 2}}] * 100, types).types)
    assert len(types["daily"].members) == 17


def test_hinted_names_are_never_data():
    rows = [{SPELLINGS["days"](number): 1 for number in range(100)}]
    assert settled(rows, **{"2000-01-05": "double"}).types == {"2000-01-05": FLOAT64}


def grown(runs, names, place=""):
    path = f"{place}." if place else ""
    first = [place] if place else ["id"]
    return [{"version": 1, "kind": "columns added", "added": first}] + [
        {
            "version": run + 2,
            "kind": "columns added",
            "added": [f"{path}u{run}x{number}" for number in range(names)],
        }
        for run in range(runs)
    ]


@pytest.mark.parametrize(
    ("history", "places"),
    [
        ([], set()),
        (grown(1, 5_000), set()),
        (grown(7, 30), set()),
        (grown(30, 2), set()),
        (grown(8, 8), {""}),
        (grown(8, 8, "m"), {"m"}),
        (grown(8, 8, 'a."b.c"'), {'a."b.c"'}),
        (grown(8, 8, "l[]"), {"l[]"}),
        ([{"kind": "columns added", "added": [f"m{n}", f"m{n}.a", f"m{n}.b"]} for n in range(40)], set()),
        ([{"kind": "changed by hand", "path": "a"}] * 100, set()),
        ([{"kind": "columns added", "added": ["no [path"]}] * 100, set()),
    ],
)
def test_an_object_that_gains_names_run_after_run_is_told_by_the_history(history, places):
    assert growing_places(history) == places


def test_such_an_object_gets_columns_for_names_that_come_again():
    rows = [{"id": n, "amount": 1, f"u{n}y": 1, "m": {f"u{n}z": 1, "real": 2}} for n in range(10)]
    known = {"id": INT64, "m": struct_of({"a": INT64})}
    found = settle_columns(known, observed(rows, known), growing=frozenset({"", "m"}))
    assert found.types == {"id": INT64, "m": struct_of({"a": INT64, "real": INT64}), "amount": INT64}
    assert found.data_places == {"", "m"}
