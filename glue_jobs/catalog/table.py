"""The table brought to the newest contract, whoever else does the same at the same time."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from glue_jobs.catalog.definition import LEFT_OUT, SCHEMA_VERSION, dataset_location
from glue_jobs.catalog.types import CatalogColumns, catalog_columns
from glue_jobs.errors import CatalogError
from glue_jobs.reporting.report import CatalogOutcome
from lambda_ingest.contract.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_glue import GlueClient

    from glue_jobs.schema.contract import SchemaContract

logger = logging.getLogger(__name__)

_TRIES: Final = 20
# In seconds; together some 20, which is little beside a run.
_LONGEST_PAUSE: Final = 2.0
# Somebody else changed the table meanwhile, or Glue does not say whether we did: look again.
_LOST: Final = frozenset(
    {"ConcurrentModificationException", "OperationTimeoutException", "ResourceNotReadyException"}
)
# Of what `GetTable` answers, `UpdateTable` takes these, and what it is not given is gone.
_CARRIED_OVER: Final = (
    "Name",
    "Description",
    "Owner",
    "LastAccessTime",
    "LastAnalyzedTime",
    "Retention",
    "StorageDescriptor",
    "PartitionKeys",
    "ViewOriginalText",
    "ViewExpandedText",
    "TableType",
    "Parameters",
)
# A parameter holds 512,000 bytes; a person reads the first.
_MOST_NAMED: Final = 100
_LONGEST_PATH: Final = 500


class CatalogTable:
    """A dataset's table in the Glue Data Catalog.

    Args:
        client: Glue; retries what is throttled by itself.
        database: has the table.
        table: its name.
        output_bucket: has the dataset.
        output_prefix: folder above the dates' folders, without slashes at its ends; may be empty.
        sleep: waits for some seconds.
    """

    def __init__(
        self,
        client: GlueClient,
        database: str,
        table: str,
        output_bucket: str,
        output_prefix: str,
        sleep: Callable[[float], None],
    ) -> None:
        self._client = client
        self._database = database
        self._table = table
        self._location = dataset_location(output_bucket, output_prefix)
        self._sleep = sleep

    def follow(self, read_contract: Callable[[], SchemaContract]) -> CatalogOutcome:
        """Give the table the columns of the newest contract; one `GetTable` where it has them.

        The contract is read after the table, and the table written only if it is still as it was read
        (`VersionId`: a stale one is a ConcurrentModificationException, which Iceberg's `GlueTableOperations`
        relies on, too). So no race puts older columns over newer ones: whoever gave the table a version had
        it in S3 before, and S3 shows what was written last. No archive of the former table is kept: Glue
        holds 100,000 of them a table, and refuses updates beyond.

        Args:
            read_contract: reads the contract as it is now.

        Raises:
            CatalogError: the table is absent, another dataset's, refused, or changes too often.
            SchemaContractError: the contract can't be read.
        """
        for attempt in range(_TRIES):
            current = self._read()
            contract = read_contract()
            self._check_location(current)
            if known_version(current) > contract.version:
                logger.warning(
                    "table %s followed version %d of the contract, which is at %d now, as after it was "
                    "restored: the table goes back with it",
                    self.name,
                    known_version(current),
                    contract.version,
                )
            keys = [key["Name"] for key in current.get("PartitionKeys", [])]
            wanted = catalog_columns(contract.types, contract.has_rescued, keys)
            update = updated_input(current, wanted, contract.version)
            if update is None or self._write(update, current.get("VersionId")):
                return CatalogOutcome(
                    self._database,
                    self._table,
                    schema_version=contract.version,
                    is_updated=update is not None,
                    left_out=wanted.left_out,
                )
            self._sleep(min(_LONGEST_PAUSE, 0.1 * (attempt + 1)))
        raise CatalogError(
            f"table {self.name} changed {_TRIES} times while it was brought to the contract; the next run "
            "does it"
        )

    @property
    def name(self) -> str:
        """As a query names it, `database.table`."""
        return f"{self._database}.{self._table}"

    def _read(self) -> Mapping[str, Any]:
        try:
            return self._client.get_table(DatabaseName=self._database, Name=self._table)["Table"]
        except (ClientError, BotoCoreError) as error:
            raise self._refused(error, "read") from error

    def _write(self, update: dict[str, Any], version_id: str | None) -> bool:
        """Return whether it is written; not where it may be another by now."""
        condition = {} if version_id is None else {"VersionId": version_id}
        try:
            self._client.update_table(
                DatabaseName=self._database,
                TableInput=update,  # type: ignore[arg-type]
                SkipArchive=True,
                **condition,  # type: ignore[arg-type]
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _LOST:
                logger.info("table %s changed meanwhile, looking again", self.name)
                return False
            raise self._refused(error, "updated") from error
        except BotoCoreError as error:
            raise self._refused(error, "updated") from error
        return True

    def _check_location(self, current: Mapping[str, Any]) -> None:
        location = current.get("StorageDescriptor", {}).get("Location", "")
        if location.rstrip("/") != self._location.rstrip("/"):
            raise CatalogError(
                f"table {self.name} is over {location or 'no place'}, and this run writes {self._location}; "
                "give --CATALOG_DATABASE and --CATALOG_TABLE of that dataset's table, or leave both out"
            )

    def _refused(self, error: Exception, done: str) -> CatalogError:
        code = error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None
        hint = ""
        if code == "EntityNotFoundException":
            hint = "; make the table anew (terraform apply), and the next run gives it its columns"
        elif code == "AccessDeniedException":
            hint = (
                "; the job's role needs glue:GetTable and glue:UpdateTable on the catalog, the database and "
                "the table, and where Lake Formation governs them DESCRIBE and ALTER"
            )
        return CatalogError(f"table {self.name} can't be {done}: {error}{hint}")


def known_version(table: Mapping[str, Any]) -> int:
    """Return the version of the contract that a table follows; 0 where it does not say."""
    text = table.get("Parameters", {}).get(SCHEMA_VERSION, "")
    return int(text) if text.isascii() and text.isdigit() else 0


def updated_input(
    table: Mapping[str, Any], wanted: CatalogColumns, schema_version: int
) -> dict[str, Any] | None:
    """Return the table with other columns, as `UpdateTable` takes it; None where it has these.

    Everything else stays: whatever others set on the table, and their comments on columns.

    Args:
        table: as `GetTable` answers.
        wanted: the columns it is to have.
        schema_version: of the contract that has them.
    """
    descriptor = table.get("StorageDescriptor", {})
    present = descriptor.get("Columns", [])
    parameters = table.get("Parameters", {})
    own = {SCHEMA_VERSION: str(schema_version), LEFT_OUT: _left_out_text(wanted)}
    is_equal = [(column["Name"], column.get("Type")) for column in present] == [
        (column.name, column.type) for column in wanted.columns
    ]
    if is_equal and own.items() <= parameters.items():
        return None
    by_name = {column["Name"]: column for column in present}
    columns = [
        {**by_name.get(column.name, {}), "Name": column.name, "Type": column.type}
        for column in wanted.columns
    ]
    return {
        **{field: table[field] for field in _CARRIED_OVER if field in table},
        "StorageDescriptor": {**descriptor, "Columns": columns},
        "Parameters": {**parameters, **own},
    }


def _left_out_text(wanted: CatalogColumns) -> str:
    """Return JSON of paths to reasons, as a parameter of the table: one line, printable."""
    named = {printable(each.path, _LONGEST_PATH): each.reason for each in wanted.left_out[:_MOST_NAMED]}
    if len(wanted.left_out) > _MOST_NAMED:
        named["..."] = f"{len(wanted.left_out) - _MOST_NAMED} more"
    return json.dumps(named)
