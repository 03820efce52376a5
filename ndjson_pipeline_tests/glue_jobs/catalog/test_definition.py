"""The table as it is made."""

import re
from datetime import date

import pyarrow as pa
import pytest

from glue_jobs.catalog.definition import PARTITION_KEY, dataset_location, table_input, table_parameters
from glue_jobs.catalog.types import catalog_columns
from glue_jobs.writing.names import output_key
from lambda_ingest.contract.keys import ManifestName

START = date(2025, 1, 1)


@pytest.mark.parametrize("prefix", ["", "lake/x"])
def test_a_dates_place_is_the_folder_that_the_job_writes(prefix):
    parameters = table_parameters("out", prefix, START)
    folder = parameters["storage.location.template"].replace(f"${{{PARTITION_KEY}}}", "2026-01-30")
    name = ManifestName("2026-01-30", 1, "01234567")
    assert f"s3://out/{output_key(prefix, name, 0, 'snappy')}".rpartition("/")[0] == folder.rstrip("/")
    # Without the slash it would hold whatever else begins with the date.
    assert folder.endswith("/")
    assert folder.startswith(dataset_location("out", prefix))


def test_athena_knows_each_date_from_the_first_to_tomorrow():
    parameters = table_parameters("out", "", START)
    assert {name: value for name, value in parameters.items() if name.startswith("projection.")} == {
        "projection.enabled": "true",
        "projection.dt.type": "date",
        "projection.dt.format": "yyyy-MM-dd",
        "projection.dt.range": "2025-01-01,NOW+1DAY",
        "projection.dt.interval": "1",
        "projection.dt.interval.unit": "DAYS",
    }
    # As Athena's user guide writes the date type's range.
    start, end = parameters["projection.dt.range"].split(",")
    assert re.fullmatch(r"NOW([+-][0-9]+(YEARS?|MONTHS?|WEEKS?|DAYS?|HOURS?|MINUTES?|SECONDS?))?", end)
    assert date.fromisoformat(start) == START


def test_its_columns_are_those_of_a_dataset_without_a_contract():
    table = table_input("merged_parquet", "out", "", START)
    empty: dict[str, pa.DataType] = {}
    assert table["StorageDescriptor"]["Columns"] == [
        {"Name": column.name, "Type": column.type} for column in catalog_columns(empty, False).columns
    ]
    assert [key["Name"] for key in table["PartitionKeys"]] == [PARTITION_KEY]
