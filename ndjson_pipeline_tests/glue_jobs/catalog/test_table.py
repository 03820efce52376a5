"""The table brought to the contract, alone and beside others."""

import logging
import threading

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from glue_jobs.catalog.table import CatalogTable, known_version
from glue_jobs.errors import CatalogError
from glue_jobs.schema.contract import SchemaContractStore
from glue_jobs.schema.types import BOOLEAN, INT64, STRING, list_of, struct_of
from ndjson_pipeline_tests.glue_jobs.catalog.conftest import TABLE
from ndjson_pipeline_tests.glue_jobs.conftest import NOW

OWN = {"_processing_timestamp": "timestamp", "_source_file": "string"}


@pytest.fixture
def store(lake):
    return SchemaContractStore(lake.client, lake.manifests, lake.output, "", lambda _: None)


def table_of(catalog, lake, client=None, prefix=""):
    client = client or catalog.client
    return CatalogTable(client, catalog.database, TABLE, lake.output, prefix, lambda _: None)


def add(store, **types):
    return store.extend(
        lambda current: current.extended({**current.types, **types}, False, ["s3://m/1"], NOW)
    )


class Meddled:
    """A client of Glue where something happens around its calls.

    Args:
        client: the real one.
        before: by name of the call, what comes before it; gets the number of the call, from 0.
    """

    def __init__(self, client, **before):
        self._client = client
        self._before = before
        self.calls = []

    def __getattr__(self, name):
        def call(**arguments):
            number = self.calls.count(name)
            self.calls.append(name)
            if name in self._before:
                self._before[name](number)
            return getattr(self._client, name)(**arguments)

        return call


def refusal(code):
    def refuse(number):
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "UpdateTable")

    return refuse


def test_follows_the_contract_and_asks_once_where_it_does(catalog, lake, store):
    add(store, a=INT64, Nested=struct_of({"x": list_of(STRING)}))
    outcome = table_of(catalog, lake).follow(store.read)
    assert (outcome.schema_version, outcome.is_updated, outcome.error_message) == (1, True, None)
    assert catalog.columns() == {"a": "bigint", "nested": "struct<x:array<string>>", **OWN}
    assert catalog.version() == 1
    meddled = Meddled(catalog.client)
    assert not table_of(catalog, lake, meddled).follow(store.read).is_updated
    assert meddled.calls == ["get_table"]


def test_tells_what_it_leaves_out(catalog, lake, store):
    add(store, **{"a:b": INT64, "dt": STRING, "ok": BOOLEAN})
    outcome = table_of(catalog, lake).follow(store.read)
    assert [each.path for each in outcome.left_out] == ["a:b", "dt"]
    assert catalog.columns() == {"ok": "boolean", **OWN}
    assert catalog.table()["Parameters"]["left_out"] == (
        '{"a:b": "has one of , : ;", "dt": "a partition key has this name"}'
    )
    many = {f"{number}:": INT64 for number in range(150)}
    add(store, **many)
    table_of(catalog, lake).follow(store.read)
    assert '"...": "52 more"' in catalog.table()["Parameters"]["left_out"]


def test_keeps_what_others_set_on_the_table(catalog, lake, store):
    add(store, a=INT64)
    table_of(catalog, lake).follow(store.read)
    table = catalog.table()
    changed = {
        "Name": TABLE,
        "Description": "orders of the shop",
        "Owner": "data",
        "TableType": table["TableType"],
        "PartitionKeys": table["PartitionKeys"],
        "Parameters": {**table["Parameters"], "team": "data"},
        "StorageDescriptor": {
            **table["StorageDescriptor"],
            "Columns": [
                {**column, "Comment": f"about {column['Name']}"}
                for column in table["StorageDescriptor"]["Columns"]
            ],
        },
    }
    catalog.client.update_table(DatabaseName=catalog.database, TableInput=changed)
    add(store, b=INT64)
    table_of(catalog, lake).follow(store.read)
    found = catalog.table()
    assert (found["Description"], found["Owner"], found["Parameters"]["team"]) == (
        "orders of the shop",
        "data",
        "data",
    )
    assert found["PartitionKeys"] == table["PartitionKeys"]
    assert found["Parameters"]["storage.location.template"].endswith("merged-parquet-${dt}/")
    assert [(column["Name"], column.get("Comment")) for column in found["StorageDescriptor"]["Columns"]] == [
        ("a", "about a"),
        ("b", None),
        ("_processing_timestamp", "about _processing_timestamp"),
        ("_source_file", "about _source_file"),
    ]


def test_columns_that_somebody_changed_are_mended(catalog, lake, store):
    add(store, a=INT64)
    table_of(catalog, lake).follow(store.read)
    table = catalog.table()
    table["StorageDescriptor"]["Columns"][0]["Type"] = "string"
    changed = {name: table[name] for name in ("Name", "Parameters", "PartitionKeys", "StorageDescriptor")}
    catalog.client.update_table(DatabaseName=catalog.database, TableInput=changed)
    assert table_of(catalog, lake).follow(store.read).is_updated
    assert catalog.columns()["a"] == "bigint"


def test_no_archive_grows(catalog, lake, store):
    for number in range(3):
        add(store, **{f"c{number}": INT64})
        table_of(catalog, lake).follow(store.read)
    versions = catalog.client.get_table_versions(DatabaseName=catalog.database, TableName=TABLE)
    assert len(versions["TableVersions"]) == 1


def test_a_lost_race_reads_the_contract_again(catalog, lake, store):
    add(store, a=INT64)

    def another_run(number):
        if number == 0:
            add(store, b=INT64)
            assert table_of(catalog, lake).follow(store.read).schema_version == 2

    meddled = Meddled(catalog.client, update_table=another_run)
    outcome = table_of(catalog, lake, meddled).follow(store.read)
    assert (outcome.schema_version, outcome.is_updated) == (2, False)
    assert catalog.columns() == {"a": "bigint", "b": "bigint", **OWN}
    assert meddled.calls == ["get_table", "update_table", "get_table"]


def test_a_slow_run_does_not_put_older_columns_over_newer_ones(catalog, lake, store):
    """Another run extends the contract and the table while this one is between its two reads."""
    add(store, a=INT64)
    read = []

    def slow_read():
        if not read:
            add(store, b=INT64)
            table_of(catalog, lake).follow(store.read)
        read.append(store.read())
        return read[-1]

    assert table_of(catalog, lake).follow(slow_read).schema_version == 2
    assert (catalog.version(), catalog.columns()["b"]) == (2, "bigint")


def test_many_runs_at_once_end_with_the_newest_contract(catalog, lake, store):
    seen = []

    def run(number):
        client = boto3.client("glue")
        add(store, **{f"c{number}": INT64})
        table_of(catalog, lake, client).follow(store.read)
        # Whoever extended the contract leaves a table that has it at least.
        seen.append((f"c{number}", catalog.columns()))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 6
    assert all(name in columns for name, columns in seen)
    assert catalog.columns() == {**dict.fromkeys(store.read().types, "bigint"), **OWN}
    assert catalog.version() == store.read().version == 6


def test_one_who_always_loses_says_so(catalog, lake, store):
    add(store, a=INT64)
    meddled = Meddled(catalog.client, update_table=refusal("ConcurrentModificationException"))
    with pytest.raises(CatalogError, match="changed 20 times"):
        table_of(catalog, lake, meddled).follow(store.read)


def test_an_update_whose_answer_was_lost_is_found_done(catalog, lake, store):
    add(store, a=INT64)

    def done_and_lost(number):
        if number == 0:
            table_of(catalog, lake).follow(store.read)
            refusal("OperationTimeoutException")(number)

    meddled = Meddled(catalog.client, update_table=done_and_lost)
    assert table_of(catalog, lake, meddled).follow(store.read).schema_version == 1


@pytest.mark.parametrize(
    ("call", "refuse", "message"),
    [
        (
            "get_table",
            refusal("AccessDeniedException"),
            r"can't be read: .*needs glue:GetTable and glue:Update",
        ),
        ("update_table", refusal("AccessDeniedException"), "can't be updated: .*needs glue:GetTable"),
        ("update_table", refusal("InvalidInputException"), "can't be updated: .*no"),
        ("update_table", refusal("ThrottlingException"), "can't be updated: "),
    ],
)
def test_a_refusal_names_the_table_and_what_to_do(catalog, lake, store, call, refuse, message):
    add(store, a=INT64)
    meddled = Meddled(catalog.client, **{call: refuse})
    with pytest.raises(CatalogError, match=f"table {catalog.database}.{TABLE} {message}"):
        table_of(catalog, lake, meddled).follow(store.read)
    assert catalog.columns() == OWN


@pytest.mark.parametrize("call", ["get_table", "update_table"])
def test_a_catalog_out_of_reach_is_an_error(catalog, lake, store, call):
    add(store, a=INT64)

    def unreachable(number):
        raise EndpointConnectionError(endpoint_url="https://glue")

    with pytest.raises(CatalogError, match="Could not connect"):
        table_of(catalog, lake, Meddled(catalog.client, **{call: unreachable})).follow(store.read)


def test_a_deleted_table_is_told_and_followed_once_it_is_there_again(catalog, lake, store):
    add(store, a=INT64)
    catalog.client.delete_table(DatabaseName=catalog.database, Name=TABLE)
    with pytest.raises(CatalogError, match="make the table anew"):
        table_of(catalog, lake).follow(store.read)
    catalog.make(lake.output)
    table_of(catalog, lake).follow(store.read)
    assert catalog.columns() == {"a": "bigint", **OWN}


def test_a_missing_database_is_told(catalog, lake, store):
    catalog.database = "absent"
    with pytest.raises(
        CatalogError, match=r"absent\.merged_parquet can't be read: .*Database absent not found"
    ):
        table_of(catalog, lake).follow(store.read)


def test_another_datasets_table_is_left_alone(catalog, lake, store):
    add(store, a=INT64)
    with pytest.raises(CatalogError, match=rf"is over s3://{lake.output}/, and this run writes .*/lake/x/"):
        table_of(catalog, lake, prefix="lake/x").follow(store.read)
    assert catalog.columns() == OWN


def test_a_restored_contract_takes_the_table_with_it(catalog, lake, store, caplog):
    """The contract decides, and its version in S3 is what a person wants; a race can't look like this."""
    add(store, a=INT64)
    key = store.uri.split("/", 3)[3]
    former = lake.get(lake.manifests, key)
    add(store, wrong=INT64)
    table_of(catalog, lake).follow(store.read)
    lake.client.put_object(Bucket=lake.manifests, Key=key, Body=former)
    with caplog.at_level(logging.WARNING):
        table_of(catalog, lake).follow(store.read)
    assert "followed version 2 of the contract, which is at 1 now" in caplog.text
    assert (catalog.version(), catalog.columns()) == (1, {"a": "bigint", **OWN})
    # A version of the same number with other columns is another contract.
    add(store, wrong=STRING)
    table_of(catalog, lake).follow(store.read)
    assert (catalog.version(), catalog.columns()["wrong"]) == (2, "string")


@pytest.mark.parametrize(
    ("parameters", "version"),
    [({}, 0), ({"schema_version": "7"}, 7), ({"schema_version": "x"}, 0), ({"schema_version": "²"}, 0)],
    ids=["none", "known", "text", "foreign digits"],
)
def test_a_table_that_says_no_version_has_none(parameters, version):
    assert known_version({"Parameters": parameters}) == version
