"""What one task knows of the columns: those settled before it, those it learns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from glue_jobs.schema.columns import Columns
from glue_jobs.schema.observed import Observed
from glue_jobs.schema.settle import settle_columns

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass
class Learning:
    """Settled columns, with counts of the values beyond them.

    Attributes:
        settled: columns whose types are final.
        observed: counts of values beyond them, so far.
        columns: the settled columns with those that the counts add.
    """

    settled: Columns
    observed: Observed = field(default_factory=Observed)
    columns: Columns = field(init=False)

    def __post_init__(self) -> None:
        self.columns = self.columns_with(Observed())

    def columns_with(self, more: Observed) -> Columns:
        """Return the columns that the counts so far would add together with further ones."""
        if not self.settled.accepts_new:
            return self.settled
        total = Observed()
        total.merge(self.observed)
        total.merge(more)
        types = settle_columns(self.settled.types, total)
        return Columns(types, accepts_new=False)

    def columns_with_table(self, table: pa.Table, more: Observed) -> Columns:
        """Count what a table has beyond the settled columns, where it may; return the columns that follow.

        Args:
            table: as the parser gives it.
            more: counts besides those so far; the table's are added to them.
        """
        if not self.settled.accepts_new:
            return self.columns
        more.add_table(table, self.settled.shape)
        return self.columns_with(more) if more.members else self.columns

    def take(self, more: Observed, columns: Columns) -> set[str]:
        """Take in counts with the columns that follow from them.

        Returns:
            The names, folded, of columns that are new or have another type.
        """
        self.observed.merge(more)
        changed = set() if columns is self.columns else columns.changed_names(self.columns)
        if changed:
            self.columns = columns
        return changed
