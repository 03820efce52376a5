"""Queries over Parquet files by DuckDB, which reaches nothing else: no other file, no network, no setting."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ndjson_pipeline.errors import PipelineError

if TYPE_CHECKING:
    import duckdb

VIEW = "merged_parquet"
OTHER_VIEW = "rows"
_MEMORY = "4GB"
_SPILL = "20GB"
_MOST_COUNTED = 500
_LONGEST_ERROR = 500
_OF_A_FILE = "while reading file"
_MANY_TYPES = (
    "the files can't be read as one table ({}): after a change of columns, `ndjson-pipeline schema rebuild` "
    "brings a date to one type"
)


class QueryError(PipelineError):
    """A query is none, or could not be answered."""


@dataclass(frozen=True)
class Answer:
    """What a query gave.

    Attributes:
        columns: name and type of each, as DuckDB calls it.
        rows: the first ones.
        is_cut: whether there are more.
    """

    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Any, ...], ...]
    is_cut: bool


@dataclass(frozen=True)
class Overview:
    """What some files hold.

    Attributes:
        rows: how many.
        columns: name, type and how many values, in order; None where they were not counted.
        first: the first rows.
    """

    rows: int
    columns: tuple[tuple[str, str, int | None], ...]
    first: Answer


class Database:
    """Views over some files, in memory.

    Args:
        connection: to DuckDB.
        folder: of the files, which its errors need not name.
        seconds: that a query may take.
    """

    def __init__(self, connection: "duckdb.DuckDBPyConnection", folder: Path, seconds: float) -> None:
        self._connection = connection
        self._folder = folder
        self._seconds = seconds

    def query(self, sql: str, limit: int) -> Answer:
        """Return the first rows that a query gives.

        Args:
            sql: one query.
            limit: so many rows.

        Raises:
            QueryError: it is none, took too long, or could not be answered; one line.
        """
        import duckdb  # noqa: PLC0415 - each command loads what it needs

        queries = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI}
        with self._bounded():
            statements = self._connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type not in queries:
                raise QueryError(
                    f"--sql takes one query over {VIEW}, such as SELECT count(*) FROM {VIEW}; nothing that "
                    "writes, loads or sets"
                )
            result = self._connection.execute(statements[0])
            columns = tuple((str(one[0]), str(one[1])) for one in result.description or ())
            rows = result.fetchmany(limit + 1)
        return Answer(columns, tuple(map(tuple, rows[:limit])), len(rows) > limit)

    def overview(self, limit: int) -> Overview:
        """Return what the files hold.

        Raises:
            QueryError: they can't be read as one table.
        """
        described = self.query(f"DESCRIBE {VIEW}", 1_000_000).rows
        names = [str(row[0]) for row in described][:_MOST_COUNTED]
        counts = ", ".join(["count(*)", *(f"count({_name(name)})" for name in names)])
        ((rows, *values),) = self.query(f"SELECT {counts} FROM {VIEW}", 1).rows
        padded = [*values, *[None] * (len(described) - len(values))]
        return Overview(
            int(rows),
            tuple((str(row[0]), str(row[1]), count) for row, count in zip(described, padded, strict=True)),
            self.query(f"SELECT * FROM {VIEW}", limit),
        )

    @contextmanager
    def _bounded(self) -> Iterator[None]:
        """End what takes too long, and tell DuckDB's errors in one line."""
        import duckdb  # noqa: PLC0415 - as above

        is_late = threading.Event()

        def end() -> None:
            is_late.set()
            self._connection.interrupt()

        timer = threading.Timer(self._seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except duckdb.Error as error:
            if is_late.is_set():
                raise QueryError(
                    f"the query took more than {self._seconds:.0f} seconds: narrow it, or pass a longer "
                    "--timeout"
                ) from error
            told = one_line(str(error).replace(f"{self._folder}/", ""))
            if _OF_A_FILE in told:
                raise QueryError(_MANY_TYPES.format(told)) from error
            raise QueryError(f"the query can't be answered: {told}") from error
        except (OverflowError, ValueError) as error:
            raise QueryError(
                f"a value can't be shown ({one_line(str(error))}): cast it to text, as with x::VARCHAR"
            ) from error
        finally:
            timer.cancel()


@contextmanager
def opened(paths: Sequence[Path], folder: Path, seconds: float) -> Iterator[Database]:
    """Open a database in memory with two views over some files, and shut it off from all else.

    Args:
        paths: Parquet files; at least one.
        folder: for what does not fit into memory.
        seconds: that a query may take.

    Raises:
        QueryError: the files can't be read as one table.
    """
    import duckdb  # noqa: PLC0415 - as above

    listed = ", ".join(_text(str(path)) for path in paths)
    # Nothing is ever installed or loaded: that would write into the home folder, and ask the network.
    settings: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
    }
    connection = duckdb.connect(":memory:", config=settings)
    try:
        try:
            for statement in (
                f"SET temp_directory = {_text(str(folder / 'spill'))}",
                f"SET max_temp_directory_size = '{_SPILL}'",
                f"SET memory_limit = '{_MEMORY}'",
                "SET TimeZone = 'UTC'",
                f"SET allowed_paths = [{listed}]",
                "SET enable_external_access = false",
                "SET lock_configuration = true",
                f"CREATE VIEW {VIEW} AS SELECT * FROM "
                f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)",
                f"CREATE VIEW {OTHER_VIEW} AS SELECT * FROM {VIEW}",
            ):
                connection.execute(statement)
        except duckdb.Error as error:
            raise QueryError(_MANY_TYPES.format(one_line(str(error)))) from error
        yield Database(connection, folder, seconds)
    finally:
        connection.close()


def one_line(text: str) -> str:
    """Return an error of DuckDB's without the picture of the place that it draws; pure."""
    told = [line.strip() for line in text.split("\n\n", 1)[0].splitlines() if line.strip()]
    return " ".join(told)[:_LONGEST_ERROR] or "no reason is given"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _name(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'
