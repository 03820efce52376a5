import json
import threading

import pytest

from glue_jobs.errors import SchemaContractError
from glue_jobs.schema.contract import SchemaContract, SchemaContractStore
from glue_jobs.schema.types import (
    BOOLEAN,
    DATE,
    FLOAT64,
    INT64,
    JSON,
    STRING,
    TimestampSource,
    decimal,
    list_of,
    map_of,
    struct_of,
    timestamp,
)
from ndjson_pipeline_tests.glue_jobs.conftest import NOW

TYPES = {
    "a": INT64,
    "id.orig": STRING,
    "": FLOAT64,
    "m": map_of(list_of(decimal(12, 2))),
    "t": timestamp(TimestampSource.MILLISECONDS),
    "d": DATE,
    "j": JSON,
    "s": struct_of({"x": list_of(struct_of({"<y>": BOOLEAN}))}),
}


def store_of(lake, prefix=""):
    return SchemaContractStore(lake.client, lake.manifests, lake.output, prefix, lambda _: None)


def adding(name, data_type=None):
    return lambda current: current.extended(
        {name: data_type or INT64, **current.types} if name not in current.types else current.types,
        False,
        ["s3://m/1"],
        NOW,
    )


def test_is_read_as_it_was_written(lake):
    store = store_of(lake)
    assert store.read() == SchemaContract()
    written = store.extend(lambda current: current.extended(TYPES, True, ["s3://m/1"], NOW))
    found = store.read()
    assert found == written
    assert list(found.types.items()) == list(TYPES.items())
    assert (found.has_rescued, found.version) == (True, 1)
    assert store.uri == f"s3://{lake.manifests}/schemas/{lake.output}/schema.json"
    assert store_of(lake, "lake/x").uri.endswith(f"{lake.output}/lake/x/schema.json")


def test_keeps_its_history(lake):
    store = store_of(lake)
    store.extend(adding("a"))
    store.extend(adding("b", struct_of({"x": INT64})))
    wider = {"a": INT64, "b": struct_of({"x": INT64, "y": list_of(INT64)})}
    store.extend(lambda current: current.extended(wider, True, ["s3://m/2"], NOW))
    assert store.extend(lambda current: current.extended(wider, False, [], NOW)).version == 3
    history = lake.schema()["history"]
    assert [(entry["version"], entry["added"], entry["adds_rescued"]) for entry in history] == [
        (1, ["a"], False),
        (2, ["b"], False),
        (3, ["b.y"], True),
    ]
    assert history[2]["manifests"] == ["s3://m/2"]
    assert history[2]["written_at"] == "2026-01-31T01:02:03.456789Z"


def test_many_at_once_lose_no_column(lake):
    errors = []

    def extend(number):
        try:
            store_of(lake).extend(adding(f"c{number}"))
        except SchemaContractError as error:
            errors.append(error)

    threads = [threading.Thread(target=extend, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    found = store_of(lake).read()
    assert set(found.types) == {f"c{number}" for number in range(8)}
    assert found.version == len(found.history) == 8


def test_the_first_of_two_decides_a_type(lake):
    store, other = store_of(lake), store_of(lake)
    calls = []

    def change(current):
        calls.append(current.version)
        if len(calls) == 1:
            other.extend(adding("a", STRING))
        return adding("a", INT64)(current)

    assert dict(store.extend(change).types) == {"a": STRING}
    assert calls == [0, 1]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"format":9}',
        json.dumps({"format": 2, "columns": [{"name": "a", "type": "date"}]}).encode(),
    ],
)
def test_what_is_no_contract_is_refused(lake, content):
    store = store_of(lake)
    lake.client.put_object(Bucket=lake.manifests, Key=store.uri.split("/", 3)[3], Body=content)
    with pytest.raises(SchemaContractError, match="is no schema contract"):
        store.read()


def test_an_absent_bucket_is_an_error(lake):
    store = SchemaContractStore(lake.client, f"absent-{lake.tag}", "o", "", lambda _: None)
    with pytest.raises(SchemaContractError, match="can't be read"):
        store.read()


def document(**changes):
    return {
        "format": 2,
        "version": 1,
        "generation": 0,
        "has_rescued": False,
        "columns": [{"name": "a", "type": "int64"}],
        "hints": {},
        "history": [],
        **changes,
    }


def of(*columns):
    return document(columns=[{"name": name, "type": found} for name, found in columns])


DEEP = "int64"
for _ in range(100):
    DEEP = {"list": DEEP}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "Expecting value"),
        (b"\xff\xfe", "no schema contract"),
        (b"[" * 100_000, "nested too deeply"),
        ([], "expected a JSON object"),
        (document(format=1), "format 1"),
        (document(format=True), "format True"),
        (document(version="1"), "'version' must be"),
        (document(version=-1), "'version' must be"),
        (document(has_rescued=1), "'has_rescued'"),
        (document(columns={}), "'columns' must be a list"),
        (document(columns=["a"]), "'name' and 'type'"),
        (document(history=[1]), "'history' must hold"),
        (document(history=[{"version": 1, "kind": "columns added", "added": [1]}]), "must hold text"),
        (document(history=[{"version": 1, "added": []}]), "'kind' of version 1 must be"),
        (document(history=[{"version": 1, "kind": "changed by hand", "path": "a"}]), "'change', 'by' and"),
        (document(history=[{"version": 9, "kind": "columns added", "added": []}]), "'history' must hold"),
        (document(generation=2), "'generation' must be"),
        (document(generation=None), "'generation' must be"),
        (document(hints=[]), "'hints' must be"),
        (document(hints={"a": 1}), "'hints' must be"),
        (document(hints={"a..b": "date"}), "a name was expected"),
        (document(hints={"a": "datum"}), "'datum' is no type"),
        (of(("a", {"decimal": [2, 3]})), "expected boolean"),
        (of(("a", {"decimal": [39, 0]})), "expected boolean"),
        (of(("a", {"timestamp": "ns"})), "expected boolean"),
        (of(("a", {"map": "x"})), "expected boolean"),
        (of(("_Source_File", "string")), "the job itself adds"),
        (of(("_rescued", "string")), "the job itself adds"),
        (of(("a", "int64"), ("A", "int64")), "take for the same"),
        (of(("a", "int64"), ("a", "int64")), "take for the same"),
        (of(("s", {"struct": [{"name": "x", "type": "int64"}, {"name": "X", "type": "int64"}]})), "the same"),
        (of(("s", {"struct": []})), "without members"),
        (of(("a", "decimal")), "expected boolean"),
        (of(("a", ["int64"])), "expected boolean"),
        (of(("a", {"list": "int64", "struct": []})), "expected boolean"),
        (of(("a\ud800", "int64")), "no column can bear"),
        (of(("a\nERROR forged", "x")), r"a\\nERROR"),
        (of(("a", DEEP)), "nested deeper"),
    ],
)
def test_what_is_no_contract_is_one_error_that_names_it_and_nothing_is_written_over_it(
    lake, content, problem
):
    store = store_of(lake)
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    key = store.uri.split("/", 3)[3]
    lake.client.put_object(Bucket=lake.manifests, Key=key, Body=body)
    for attempt in (store.read, lambda: store.extend(adding("b"))):
        with pytest.raises(SchemaContractError, match=problem) as caught:
            attempt()
        assert store.uri in str(caught.value)
        assert "restore an earlier version" in str(caught.value)
        assert len(str(caught.value)) < 1_000
    assert lake.get(lake.manifests, key) == body
