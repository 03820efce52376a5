"""Arrow tables to one Parquet file, sent while it is made."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, Final, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from glue_jobs.schema.column_names import PROCESSING_TIMESTAMP, RESCUED, SOURCE_FILE
from glue_jobs.schema.fit import conform
from glue_jobs.writing.dictionaries import PAGE_BYTES, leaves_with_dictionary

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from glue_jobs.parsing.results import Rows
    from glue_jobs.schema.columns import Columns
    from glue_jobs.writing.upload import UploadSink

# Bytes of Arrow that wait for one row group: bounds memory, and gives readers groups worth skipping.
ROW_GROUP_BYTES: Final = 64 * 1_048_576
_TIMESTAMP: Final = pa.field(PROCESSING_TIMESTAMP, pa.timestamp("us", tz="UTC"))
_SOURCE: Final = pa.field(SOURCE_FILE, pa.dictionary(pa.int32(), pa.string()))
_RESCUED: Final = pa.field(RESCUED, pa.string())


class ParquetEncoder:
    """Encodes tables as they come, and adds to each row when and from where it came.

    Args:
        sink: takes the file's bytes.
        columns: every later table must fit them.
        has_rescued: whether there is a column of what did not fit.
        codec: snappy, zstd, gzip or none.
        processed_at: the run's instant, aware.
        source_uris: URIs of all files of the part.
    """

    def __init__(
        self,
        sink: UploadSink,
        columns: Columns,
        has_rescued: bool,
        codec: str,
        processed_at: datetime,
        source_uris: Sequence[str],
    ) -> None:
        self.columns = columns
        self.has_rescued = has_rescued
        self._processed_at = pa.scalar(processed_at, _TIMESTAMP.type)
        # One dictionary for the whole file, so that Parquet keeps it as such.
        self._sources = pa.array(list(source_uris), pa.string())
        added = [_TIMESTAMP, _SOURCE, *([_RESCUED] if has_rescued else [])]
        self._schema = pa.schema([*columns.schema, *added])
        self._sink = sink
        self._codec = codec
        self._footers: list[Any] = []
        self._writer: pq.ParquetWriter | None = None

    def write(self, tables: Sequence[Rows]) -> None:
        """Write rows as one row group.

        Args:
            tables: rows that can become the file's columns, from files by their positions in `source_uris`.
        """
        complete = _in_one_piece(pa.concat_tables(map(self._completed, tables)))
        if self._writer is None:
            self._writer = self._opened(leaves_with_dictionary(complete))
        self._writer.write_table(complete, row_group_size=max(1, complete.num_rows))

    def finish(self) -> int:
        """Close the file; return its rows as its footer counts them."""
        writer = self._writer or self._opened([])
        writer.close()
        return int(self._footers[0].num_rows)

    def _opened(self, with_dictionary: Sequence[str]) -> pq.ParquetWriter:
        # Without Arrow's own schema in the footer every reader sees the same plain types.
        return pq.ParquetWriter(
            pa.PythonFile(cast("IO[bytes]", self._sink), mode="w"),
            self._schema,
            compression=self._codec,
            use_dictionary=list(with_dictionary),
            dictionary_pagesize_limit=PAGE_BYTES,
            store_schema=False,
            metadata_collector=self._footers,
        )

    def _completed(self, rows: Rows) -> pa.Table:
        count = rows.table.num_rows
        positions, counts = zip(*rows.sources, strict=True)
        sources = pa.array(np.repeat(np.array(positions, np.int32), counts))
        added = [
            pa.repeat(self._processed_at, count),
            pa.DictionaryArray.from_arrays(sources, self._sources),
        ]
        if self.has_rescued:
            added.append(pa.nulls(count, pa.string()) if rows.rescued is None else rows.rescued)
        return pa.Table.from_arrays([*conform(rows.table, self.columns).columns, *added], schema=self._schema)


def _in_one_piece(table: pa.Table) -> pa.Table:
    """Return a table whose columns are whole: a page of long texts ends where a piece of its column does.

    Which rows came together depends on the parser; the file must not.
    """
    in_pieces = any(column.num_chunks > 1 for column in table.columns)
    return table.combine_chunks() if in_pieces else table
