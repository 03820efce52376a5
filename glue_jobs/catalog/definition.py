"""What the table over a dataset is when it is made: its place, its partitions by projection, its format.

Terraform's table of a deployment says the same. Its columns are the job's from then on (`CatalogTable`).
Imports nothing of Arrow, so that whoever makes the table needs none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from glue_jobs.writing.names import date_folder

if TYPE_CHECKING:
    from datetime import date

    from mypy_boto3_glue.type_defs import TableInputTypeDef

# `date` is a word of SQL, to be quoted in every query, and the likelier name of a column in the input.
PARTITION_KEY: Final = "dt"
# The contract's version that the columns follow, and what of it they leave out, as JSON.
SCHEMA_VERSION: Final = "schema_version"
LEFT_OUT: Final = "left_out"

# What every file has, before any contract.
_FIRST_COLUMNS: Final = (("_processing_timestamp", "timestamp"), ("_source_file", "string"))


def dataset_location(output_bucket: str, output_prefix: str) -> str:
    """Return the URI of the folder above the dates' folders, which ends in a slash."""
    return "/".join(part for part in (f"s3://{output_bucket}", output_prefix) if part) + "/"


def table_parameters(output_bucket: str, output_prefix: str, start_date: date) -> dict[str, str]:
    """Return the table's parameters: partitions that Athena computes, so that nobody has to add any.

    Source: Athena's user guide, "Set up partition projection" and "Supported types for partition projection".
    Its dates are UTC. Tomorrow is among them, because ingest takes files of tomorrow. A date without a folder
    has no rows.

    Args:
        output_bucket: has the dataset.
        output_prefix: folder above the dates' folders, without slashes at its ends; may be empty.
        start_date: the first date that ingest takes.
    """
    projection = f"projection.{PARTITION_KEY}"
    template = date_folder(output_prefix, f"${{{PARTITION_KEY}}}")
    return {
        "EXTERNAL": "TRUE",
        "classification": "parquet",
        "projection.enabled": "true",
        f"{projection}.type": "date",
        f"{projection}.format": "yyyy-MM-dd",
        f"{projection}.range": f"{start_date.isoformat()},NOW+1DAY",
        f"{projection}.interval": "1",
        f"{projection}.interval.unit": "DAYS",
        "storage.location.template": f"s3://{output_bucket}/{template}",
        SCHEMA_VERSION: "0",
        LEFT_OUT: "{}",
    }


def table_input(table: str, output_bucket: str, output_prefix: str, start_date: date) -> TableInputTypeDef:
    """Return the table as Glue's `CreateTable` takes it.

    Args:
        table: its name.
        output_bucket: has the dataset.
        output_prefix: folder above the dates' folders, without slashes at its ends; may be empty.
        start_date: the first date that ingest takes.
    """
    return {
        "Name": table,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": table_parameters(output_bucket, output_prefix, start_date),
        # Text, as in all examples of Athena's guide: a date in quotes can be compared with it.
        "PartitionKeys": [{"Name": PARTITION_KEY, "Type": "string"}],
        "StorageDescriptor": {
            "Location": dataset_location(output_bucket, output_prefix),
            "Columns": [{"Name": name, "Type": hive_type} for name, hive_type in _FIRST_COLUMNS],
            "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
            "SerdeInfo": {
                "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
                "Parameters": {"serialization.format": "1"},
            },
        },
    }
