"""What kinds of values were seen where, added up so that order does not matter."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from glue_jobs.schema.scalars import (
    EXACT_DOUBLE,
    Fraction,
    Whole,
    is_double,
    is_exact_double,
    is_text,
    is_whole,
)

if TYPE_CHECKING:
    from glue_jobs.schema.columns import Shape


@dataclass
class Observed:
    """Counts of values by kind, in one place of the records.

    Values that no column can hold (text without UTF-8, numbers beyond a double) are not counted.

    Attributes:
        booleans: how many values are booleans.
        numbers: how many are numbers.
        texts: how many are text.
        lists: how many are lists.
        objects: how many are objects.
        has_double: whether a number has a fraction or an exponent, or more than 64 bits.
        has_large: whether a whole number of 64 bits is too large to be exact in every double.
        items: of the lists' items.
        members: of the objects' members, by name.
    """

    booleans: int = 0
    numbers: int = 0
    texts: int = 0
    lists: int = 0
    objects: int = 0
    has_double: bool = False
    has_large: bool = False
    items: Observed | None = None
    members: dict[str, Observed] = field(default_factory=dict)

    @property
    def values(self) -> int:
        """How many values there are of any kind."""
        return self.booleans + self.numbers + self.texts + self.lists + self.objects

    def member(self, name: str) -> Observed:
        """Return the counts of a member, made where there are none yet."""
        return self.members.setdefault(name, Observed())

    def item(self) -> Observed:
        """Return the counts of items, made where there are none yet."""
        if self.items is None:
            self.items = Observed()
        return self.items

    def merge(self, other: Observed) -> None:
        """Add counts of other records."""
        self.booleans += other.booleans
        self.numbers += other.numbers
        self.texts += other.texts
        self.lists += other.lists
        self.objects += other.objects
        self.has_double = self.has_double or other.has_double
        self.has_large = self.has_large or other.has_large
        if other.items is not None:
            self.item().merge(other.items)
        for name, member in other.members.items():
            self.member(name).merge(member)

    def add_table(self, table: pa.Table, known: Shape) -> None:
        """Add what a table has beyond known columns, whose types are settled."""
        for name in table.column_names:
            column = table.column(name)
            shape = known.members.get(name)
            if shape is None or (shape.type != column.type and _is_nested(column.type)):
                for chunk in column.chunks:
                    self.member(name).add_array(chunk)

    def add_record(self, record: dict[str, Any], known: Shape) -> None:
        """Add what a record has beyond known columns, whose types are settled."""
        for name, value in record.items():
            shape = known.members.get(name)
            if shape is None or shape.item is not None or shape.members:
                self.member(name).add_value(value)

    def add_array(self, values: pa.Array) -> None:
        """Add the values of an array, of types as the JSON parser infers them, text as text."""
        data_type = values.type
        count = len(values) - values.null_count
        if pa.types.is_null(data_type) or not count:
            return
        if pa.types.is_boolean(data_type):
            self.booleans += count
        elif pa.types.is_int64(data_type):
            self.numbers += count
            self.has_large = self.has_large or _is_beyond_doubles(values)
        elif pa.types.is_float64(data_type):
            self.numbers += count
            self.has_double = True
        elif pa.types.is_string(data_type):
            self.texts += count
        elif pa.types.is_list(data_type):
            self.lists += count
            self.item().add_array(values.flatten())
        else:
            self.objects += count
            for member, column in zip(data_type, values.flatten(), strict=True):
                self.member(member.name).add_array(column)

    def add_value(self, value: Any) -> None:
        """Add a Python value whose numbers are `Whole` or `Fraction`."""
        if isinstance(value, str):
            self._add_scalar(value)
        elif isinstance(value, bool):
            self.booleans += 1
        elif isinstance(value, list):
            self.lists += 1
            for item in value:
                self.item().add_value(item)
        elif isinstance(value, dict):
            self.objects += 1
            for name, member in value.items():
                self.member(name).add_value(member)

    def add_rest(self, rest: dict[str, Any], shape: Shape) -> None:
        """Add what `split_record` left over; what it kept is counted where it went."""
        for name, value in rest.items():
            member = shape.members.get(name)
            if isinstance(value, dict) and member is not None and pa.types.is_struct(member.type):
                self.member(name).add_rest(value, member)
            else:
                self.member(name).add_value(value)

    def add_large(self, value: Any) -> None:
        """Note whole numbers that are large, without counting: a column of doubles may hide them."""
        if isinstance(value, Whole):
            self.has_large = self.has_large or (is_whole(value) and abs(int(value)) > EXACT_DOUBLE)
        elif isinstance(value, list):
            for item in value:
                self.item().add_large(item)
        elif isinstance(value, dict):
            for name, member in value.items():
                if isinstance(member, Whole | list | dict):
                    self.member(name).add_large(member)

    def _add_scalar(self, value: str) -> None:
        if isinstance(value, Whole):
            if is_whole(value):
                self.numbers += 1
                self.has_large = self.has_large or abs(int(value)) > EXACT_DOUBLE
            elif is_exact_double(value):
                self.numbers += 1
                self.has_double = True
        elif isinstance(value, Fraction):
            if is_double(value):
                self.numbers += 1
                self.has_double = True
        elif is_text(value):
            self.texts += 1


def _is_beyond_doubles(values: pa.Array) -> bool:
    """Return whether whole numbers are too large to be exact in every double."""
    span = pc.min_max(values)
    low, high = span["min"].as_py(), span["max"].as_py()
    return low is not None and (low < -EXACT_DOUBLE or high > EXACT_DOUBLE)


def _is_nested(data_type: pa.DataType) -> bool:
    return bool(data_type.num_fields or pa.types.is_struct(data_type))
