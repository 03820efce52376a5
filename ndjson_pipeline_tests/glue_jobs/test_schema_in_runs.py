"""Runs of the job on a dataset whose schema grows, is full, is changed by hand, or is shared by runs."""

import json
from collections import Counter
from contextlib import nullcontext

import pytest

from glue_jobs.job import run_job
from glue_jobs.schema.change import Author, drop, set_type, to_map
from glue_jobs.schema.contract import SchemaContractStore
from glue_jobs.schema.types import INT64
from ndjson_pipeline_tests.glue_jobs.conftest import NOW, InProcessRunner, make_environment

AUTHOR = Author("ann", "a test", NOW)


@pytest.fixture
def store(lake):
    return SchemaContractStore(lake.client, lake.manifests, lake.output, "", lambda _: None)


def newest(announcer):
    return announcer.reports[-1][1]


class Meanwhile(InProcessRunner):
    """Runs tasks, and before each of its rounds whatever else happens at the same time."""

    def __init__(self, client, happens):
        super().__init__(client)
        self.happens = happens

    def run(self, tasks):
        self.happens(len(self.tasks))
        return super().run(tasks)


def run_meanwhile(lake, announcer, happens, *uris, **more):
    runner = Meanwhile(lake.client, happens)
    run_job(lake.arguments(*uris, **more), make_environment(lake, lambda: nullcontext(runner), announcer))
    return runner


def test_columns_that_others_add_meanwhile_do_not_hold_a_run_up(lake, store, announcer):
    def others(number):
        store.extend(
            lambda current: current.extended({**current.types, f"o{number}": INT64}, True, ["x"], NOW)
        )

    files = [lake.put("a", [{"a": 1, "odd": []}]), lake.put("b", [{"b": 1.5}])]
    runner = run_meanwhile(lake, announcer, others, lake.manifest(files), TARGET_FILE_MB="0.00000001")
    assert len(runner.tasks) == 2
    assert [sorted(name for name in table.column_names if name[0] != "_") for table in lake.tables()] == [
        ["a"],
        ["b"],
    ]
    assert [column["name"] for column in lake.schema()["columns"]] == ["o0", "a", "b"]


def test_a_type_changed_by_hand_meanwhile_makes_a_run_convert_again(lake, run, store, announcer):
    run(lake.manifest([lake.put("a", [{"p": 1}])], 1))

    def change(number):
        if not number:
            store.extend(lambda current: set_type(current, "p", "decimal(9,2)", AUTHOR))

    runner = run_meanwhile(lake, announcer, change, lake.manifest([lake.put("b", [{"p": 2.25}])], 2))
    assert len(runner.tasks) == 2
    assert str(lake.tables()[1].schema.field("p").type) == "decimal128(9, 2)"


def generations(lake):
    return [
        lake.client.head_object(Bucket=lake.output, Key=key)["Metadata"]["schema-generation"]
        for key in lake.output_keys()
    ]


def test_a_type_changed_by_hand_holds_for_what_is_converted_after_it(lake, run, store, announcer):
    """Whole amounts came first, and cents later."""
    first = lake.manifest([lake.put("a", [{"id": n, "amount": 20} for n in range(3)])], 1)
    second = lake.manifest([lake.put("b", [{"id": n, "amount": n + 0.25} for n in range(100)])], 2)
    run(first)
    run(second)
    assert newest(announcer)["rescued_columns"] == [{"path": "amount", "records": 100, "reason": "not exact"}]
    assert newest(announcer)["processing_summary"]["records_rescued"] == 100
    store.extend(lambda current: set_type(current, "amount", "decimal(12,2)", AUTHOR))
    run(first)
    assert generations(lake) == ["1", "0"]
    run(second)
    assert generations(lake) == ["1", "1"]
    assert newest(announcer)["rescued_columns"] == []
    assert newest(announcer)["schema"]["generation"] == 1
    amounts = [row["amount"] for row in lake.rows()]
    assert (len(amounts), sum(amounts)) == (103, 60 + sum(n + 0.25 for n in range(100)))


def test_an_object_turned_into_a_map_and_a_dropped_column(lake, run, store):
    uri = lake.manifest([lake.put("a", [{"m": {"x": 1, "y": 2.5}, "gone": 1, "id": 1}])])
    run(uri)
    store.extend(lambda current: to_map(current, "m", AUTHOR))
    store.extend(lambda current: drop(current, "gone", AUTHOR))
    run(uri)
    run(lake.manifest([lake.put("b", [{"m": {"z": 1}, "gone": 2}])], 2))
    rows = lake.rows()
    assert [row["m"] for row in rows] == [[("x", 1.0), ("y", 2.5)], [("z", 1.0)]]
    assert [row["_rescued"] for row in rows] == ['{"gone":1}', '{"gone":2}']
    assert lake.schema()["generation"] == 2
    assert lake.schema()["hints"] == {"m": "map<string,double>", "gone": "none"}


def test_hints_decide_the_types_of_what_comes(lake, run, store):
    for path, text in (("at", "timestamp"), ("price", "decimal(9,2)"), ("raw", "json"), ("u.day", "date")):
        store.extend(lambda current, path=path, text=text: set_type(current, path, text, AUTHOR))
    records = [
        {"at": "2026-01-30T12:30:00Z", "price": 1.25, "raw": {"a": [1]}, "u": {"day": "2026-01-30"}},
        {"at": "soon", "price": 1.255, "raw": 1, "u": {"day": "never"}},
    ]
    run(lake.manifest([lake.put("a", records)]))
    (table,) = lake.tables()
    types = {field.name: str(field.type) for field in table.schema if field.name[0] != "_"}
    assert types == {
        "at": "timestamp[us, tz=UTC]",
        "price": "decimal128(9, 2)",
        "raw": "string",
        "u": "struct<day: date32[day]>",
    }
    assert json.loads(table["_rescued"][1].as_py()) == {"at": "soon", "price": 1.255, "u": {"day": "never"}}
    assert lake.schema()["generation"] == 0


def test_a_full_schema_is_told(lake, run, announcer, caplog):
    run(lake.manifest([lake.put("a", [{f"c{n}": 1 for n in range(8)}])]), MAX_COLUMNS="5")
    schema = newest(announcer)["schema"]
    assert schema["is_full"]
    assert len(schema["new_columns"]) == 5
    assert [entry["path"] for entry in schema["left_without_column"]] == ["c5", "c6", "c7"]
    assert "--MAX_COLUMNS" in schema["left_without_column"][0]["reason"]
    assert "has no room for further columns" in caplog.text
    run(
        lake.manifest([lake.put("b", [{f"c{n}": 1 for n in range(3)}])], 2),
        OUTPUT_PREFIX="x",
        MAX_COLUMNS="5",
    )
    assert not newest(announcer)["schema"]["is_full"]


def test_names_that_are_data_keep_no_column_away_and_are_told(lake, run, announcer):
    records = [{"id": n, "amount": 1.5, f"{n * 7919 % 10007:012x}": 1, f"x{n}": {"a": 1}} for n in range(300)]
    run(lake.manifest([lake.put("a", records)]))
    report = newest(announcer)
    assert [column["name"] for column in lake.schema()["columns"]] == ["amount", "id"]
    assert report["schema"]["left_without_column"] == [{"path": "", "reason": "names that look like data"}]
    assert len(report["rescued_columns"]) == 201
    assert report["rescued_columns"][200] == {"path": "*", "records": 400, "reason": "no column"}
    assert [row["id"] for row in lake.rows()] == list(range(300))


def test_parts_learn_the_same_types_whatever_each_of_them_sees(lake, run, runner):
    """Each file alone would make an object of its few names; together they are seen to be data."""
    files = [
        lake.put(
            str(part), [{"m": {f"{part * 100 + n * 10 + k:06x}": 1 for k in range(3)}} for n in range(10)]
        )
        for part in range(8)
    ]
    run(lake.manifest(files), TARGET_FILE_MB="0.00000001")
    assert {str(table.schema.field("m").type) for table in lake.tables()} == {"map<string, int64 ('m')>"}
    assert len(runner.tasks) == 16
    assert Counter(key for row in lake.rows() for key, _ in row["m"]) == Counter(
        f"{part * 100 + n * 10 + k:06x}" for part in range(8) for n in range(10) for k in range(3)
    )


def test_a_poisonous_file_harms_its_neighbours_columns_in_nothing(lake, run):
    good = lake.manifest([lake.put("a", [{"id": n} for n in range(100)])], 1)
    bomb = [{"id": n, **{f"{n * 50 + k:09x}": k for k in range(50)}} for n in range(400)]
    run(good, lake.manifest([lake.put("b", bomb)], 2))
    assert [column["name"] for column in lake.schema()["columns"]] == ["id"]
    assert len(lake.rows()) == 500


def test_a_few_new_names_with_every_run_do_not_fill_the_schema(lake, run, runner, announcer):
    """Ten records bring ten names, as new members might; run after run brings ten others."""
    for number in range(14):
        records = [{"id": n, f"u{number}x{n}": 1, "o": {f"v{number}x{n}": 1}} for n in range(10)]
        run(lake.manifest([lake.put(str(number), records)], number + 1))
    run(lake.manifest([lake.put("late", [{"id": 1, "amount": 2, "u99": 1}, *[{"amount": 3}] * 2])], 15))
    columns = {column["name"]: column["type"] for column in lake.schema()["columns"]}
    # The first version has ten of them, eight more show that it goes on.
    assert len(columns) == 90 + len({"id", "o", "amount"})
    assert len(columns["o"]["struct"]) == 90
    assert columns["amount"] == "int64"
    assert "u99" not in columns
    # The tasks know it beforehand, so that none is done twice for it.
    assert len(runner.tasks) == 15
    told = newest(announcer)["schema"]["left_without_column"]
    assert told == [{"path": "", "reason": "names that look like data"}]
