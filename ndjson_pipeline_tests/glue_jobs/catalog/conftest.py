"""A table over the test's dataset, in a Data Catalog that keeps versions as the service does."""

import threading
from datetime import date
from typing import Any

import boto3
import moto.glue.responses
import pytest

from glue_jobs.catalog.definition import table_input
from ndjson_pipeline.local_aws import moto_patches

TABLE = "merged_parquet"


class Catalog:
    """The Data Catalog of one test."""

    def __init__(self, client: Any, database: str) -> None:
        self.client = client
        self.database = database

    def make(self, bucket: str, prefix: str = "") -> None:
        self.client.create_table(
            DatabaseName=self.database, TableInput=table_input(TABLE, bucket, prefix, date(2025, 1, 1))
        )

    def table(self) -> dict[str, Any]:
        return self.client.get_table(DatabaseName=self.database, Name=TABLE)["Table"]

    def columns(self) -> dict[str, str]:
        return {column["Name"]: column["Type"] for column in self.table()["StorageDescriptor"]["Columns"]}

    def version(self) -> int:
        return int(self.table()["Parameters"]["schema_version"])

    @property
    def arguments(self) -> dict[str, str]:
        return {"CATALOG_DATABASE": self.database, "CATALOG_TABLE": TABLE}


@pytest.fixture
def catalog(lake, monkeypatch):
    services: Any = moto_patches.Services(None, None, threading.Event())  # type: ignore[arg-type]
    for patch in moto_patches.PATCHES:
        if (patch.owner, patch.attribute) == (moto.glue.responses.GlueResponse, "update_table"):
            original = vars(patch.owner)[patch.attribute]
            monkeypatch.setattr(patch.owner, patch.attribute, patch.factory(original, services))
    client = boto3.client("glue")
    database = f"ndjson_{lake.tag}_parquet_dev"
    client.create_database(DatabaseInput={"Name": database})
    catalog = Catalog(client, database)
    catalog.make(lake.output)
    return catalog
