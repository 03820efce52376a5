"""What each asset's page in the UI says of itself: what the data is, whose, and where to read on."""

import inspect
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from ndjson_pipeline.deployment.names import Names
from ndjson_pipeline.deployment.settings import PipelineSettings

TABLE_NAME = "dagster/table_name"
CODE_REFERENCES = "dagster/code_references"
RUNBOOK = "runbook"
RUNBOOK_FILE = "docs/operations.md"
_ROOT = Path(__file__).resolve().parents[2]

RAW_NDJSON = """\
The records as their producers send them: NDJSON files in the input bucket, one after the other.

A file's name begins with its UTC date, such as `2026-01-30-orders.ndjson`. Each file that is accepted goes \
into one manifest, once. Dagster makes nothing here: `raw_files_sensor` looks at what came in, what waits \
for a batch, and since when.
"""
MANIFESTS = """\
The batches of input files, each a JSON object in S3 that is committed once and never changes.

The Lambda commits them. A materialization sums up what it did to a date since the one before: files taken \
in, files refused with their names and reasons, and how many wait for a batch.
"""
MERGED_PARQUET = """\
All records of a UTC date as Parquet, one row a record, in one folder a date.

A Glue run makes it of the date's manifests. Lines in are rows out and rejected lines, checked for each \
manifest. However often a date is converted, its rows are there once. A row has `_source_file` and \
`_processing_timestamp` besides its own columns, and `_rescued` where something did not fit.

- **Green** is a date whose manifests are all converted, so far. **Red** is one with failed manifests: mend \
the cause, then launch `reprocess_failed_manifests`.
- Materializing a date by hand converts all of its manifests again.
"""


class AssetPages:
    """The pages of a feed's assets.

    Args:
        settings: of the code location.
        root: the project's folder. The links lead to its files where it is a checkout, and no address is set.
    """

    def __init__(self, settings: PipelineSettings, root: Path = _ROOT) -> None:
        self._settings = settings
        self._root = root
        self._is_checkout = (root / RUNBOOK_FILE).is_file()

    @property
    def owners(self) -> list[str]:
        """Who they belong to."""
        return list(self._settings.asset_owners)

    @property
    def table_name(self) -> str:
        """The table over the Parquet, as a query names it."""
        # The names of databases bear no account.
        names = Names(self._settings.environment, "", self._settings.feed)
        return f"{names.catalog_database}.{names.catalog_table}"

    def metadata(self, code: Callable[..., Any] | str) -> Mapping[str, Any]:
        """Return links to the code and to the runbook, as far as there are any.

        Args:
            code: what makes the asset: a function, or a file below the project's root.
        """
        with warnings.catch_warnings():
            # Links to code are a beta in Dagster 1.13, which says so at every start of a process.
            warnings.simplefilter("ignore", category=dg.BetaWarning)
            return {**self._code_reference(code), **self._runbook()}

    def _code_reference(self, code: Callable[..., Any] | str) -> Mapping[str, Any]:
        path, line = (self._root / code, 1) if isinstance(code, str) else _place_of(code)
        if not path.is_relative_to(self._root):
            return {}
        name = path.relative_to(self._root).as_posix()
        reference: dg.UrlCodeReference | dg.LocalFileCodeReference
        if self._settings.code_url is not None:
            reference = dg.UrlCodeReference(url=f"{self._settings.code_url}/{name}#L{line}", label=name)
        elif self._is_checkout:
            reference = dg.LocalFileCodeReference(file_path=str(path), line_number=line, label=name)
        else:
            # A container's files are of no use to a browser.
            return {}
        return {CODE_REFERENCES: dg.CodeReferencesMetadataValue(code_references=[reference])}

    def _runbook(self) -> Mapping[str, Any]:
        if self._settings.runbook_url is not None:
            return {RUNBOOK: dg.MetadataValue.url(self._settings.runbook_url)}
        if self._settings.code_url is not None:
            return {RUNBOOK: dg.MetadataValue.url(f"{self._settings.code_url}/{RUNBOOK_FILE}")}
        return {RUNBOOK: dg.MetadataValue.path(str(self._root / RUNBOOK_FILE))} if self._is_checkout else {}


def _place_of(code: Callable[..., Any]) -> tuple[Path, int]:
    """Return the file of a function and its first line."""
    return Path(inspect.getsourcefile(code) or "").resolve(), inspect.getsourcelines(code)[1]
