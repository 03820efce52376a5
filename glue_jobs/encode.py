"""Arrow tables to one Parquet file in memory."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from glue_jobs.schema import ADDED_FIELDS, conform, storable

# Bytes of Arrow that wait for one row group: bounds memory, and gives readers groups worth skipping.
ROW_GROUP_BYTES: Final = 64 * 1_048_576


class ParquetEncoder:
    """Encodes tables as they come, and adds to each row when and from where it came.

    Args:
        schema: what was learned of the columns; every later table must be held by it.
        codec: snappy, zstd, gzip or none.
        processed_at: the run's instant, aware.
        source_uris: URIs of all files of the part.
    """

    def __init__(
        self, schema: pa.Schema, codec: str, processed_at: datetime, source_uris: Sequence[str]
    ) -> None:
        self._columns = storable(schema)
        self._processed_at = pa.scalar(processed_at, ADDED_FIELDS[0].type)
        # One dictionary for the whole file, so that Parquet keeps it as such.
        self._sources = pa.array(list(source_uris), pa.string())
        self._sink = pa.BufferOutputStream()
        # Without Arrow's own schema in the footer every reader sees the same plain types.
        self._writer = pq.ParquetWriter(
            self._sink,
            pa.schema([*self._columns, ADDED_FIELDS[0], ADDED_FIELDS[1].with_type(_DICTIONARY)]),
            compression=codec,
            store_schema=False,
        )
        self._rows = 0

    def write(self, tables: Sequence[tuple[pa.Table, int]]) -> None:
        """Write tables as one row group.

        Args:
            tables: each with the position of its file in `source_uris`.

        Raises:
            TypesConflictError: a value is not exact in its column's type.
        """
        complete = pa.concat_tables([self._completed(table, source) for table, source in tables])
        self._writer.write_table(complete, row_group_size=max(1, complete.num_rows))
        self._rows += complete.num_rows

    def finish(self) -> tuple[pa.Buffer, int]:
        """Close the file.

        Returns:
            Its bytes, and its rows as its footer counts them.
        """
        self._writer.close()
        content = self._sink.getvalue()
        return content, pq.ParquetFile(pa.BufferReader(content)).metadata.num_rows

    def _completed(self, table: pa.Table, source: int) -> pa.Table:
        rows = table.num_rows
        return pa.Table.from_arrays(
            [
                *conform(table, self._columns).columns,
                pa.repeat(self._processed_at, rows),
                pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(source, pa.int32()), rows), self._sources),
            ],
            schema=self._writer.schema,
        )


_DICTIONARY: Final = pa.dictionary(pa.int32(), pa.string())
