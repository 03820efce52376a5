"""What is kept of DynamoDB: tables with their indexes and settings, and every item."""

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from moto.dynamodb import models
from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import GlobalSecondaryIndex, LocalSecondaryIndex, Table

from ndjson_pipeline.local_aws.errors import StateRefusedError
from ndjson_pipeline.local_aws.state.changes import Changes
from ndjson_pipeline.local_aws.state.codec import Codec, Kept
from ndjson_pipeline.local_aws.state.documents import Documents
from ndjson_pipeline.local_aws.state.store import Row

TABLES = "tables"
# For calls that change items in other ways than one by one.
ALL_ITEMS = "items of all tables"

DYNAMODB_CLASSES = (
    Kept(
        Table,
        {
            "items": lambda: defaultdict(dict),
            "stream_shard": lambda: None,
            "lambda_event_source_mappings": dict,
        },
    ),
    Kept(GlobalSecondaryIndex),
    Kept(LocalSecondaryIndex),
)
_codec = Codec(DYNAMODB_CLASSES)
_SETS = ("SS", "NS", "BS")


def item_key(table: Any, attributes: dict[str, Any]) -> str:
    """Return an item's key as the log of changes has it: JSON of its key's attributes, in order.

    Args:
        table: moto's.
        attributes: of the item, or of its key, as DynamoDB writes values.
    """
    return json.dumps([plain(attributes[name]) for name in table.table_key_attrs])


def plain(value: Any) -> Any:
    """Return a value of DynamoDB, such as `{"S": "a"}`, as JSON; binary ones as the codec writes bytes."""
    ((kind, held),) = ({value.type: value.value} if isinstance(value, DynamoType) else value).items()
    if kind == "M":
        return {kind: {name: plain(each) for name, each in held.items()}}
    if kind == "L":
        return {kind: [plain(each) for each in held]}
    if kind in _SETS:
        return {kind: [_codec.encode(each) for each in held]}
    return {kind: _codec.encode(held)}


def _value(document: Any) -> Any:
    """Return what `plain` was given, as DynamoDB writes it."""
    ((kind, held),) = document.items()
    if kind == "M":
        return {kind: {name: _value(each) for name, each in held.items()}}
    if kind == "L":
        return {kind: [_value(each) for each in held]}
    return {kind: _codec.decode(held)}


class KeptDynamoDb:
    """Reads tables and items of moto for their rows, and makes them again."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._tables = Documents("table")
        # The rows of items of each table, by its name with the region.
        self._items: dict[str, set[str]] = defaultdict(set)

    def _found(self) -> Iterator[tuple[str, Any]]:
        for region, backend in models.dynamodb_backends[self._account].items():
            for name, table in backend.tables.items():
                yield f"{region}/{name}", table

    def rows(self, changes: Changes) -> Iterator[Row]:
        """Yield what changed; DynamoDB stands still meanwhile."""
        found = dict(self._found())
        if TABLES in changes.places or ALL_ITEMS in changes.places:
            documents = {name: json.dumps(_codec.encode(table)) for name, table in found.items()}
            yield from self._tables.changed(documents)
            for name in self._items.keys() - found.keys():
                for row in self._items.pop(name):
                    yield Row("item", row, None)
        if ALL_ITEMS in changes.places:
            for name, table in found.items():
                yield from self._all_rows(name, table)
            return
        for region, table_name, key in sorted(changes.items):
            name = f"{region}/{table_name}"
            if name in found:
                yield self._row(name, key, _item_of(found[name], key))

    def _all_rows(self, name: str, table: Any) -> Iterator[Row]:
        present = {item_key(table, item.attrs): item for item in table.all_items()}
        for row in set(self._items[name]):
            key = row.removeprefix(f"{name}/")
            if key not in present:
                yield self._row(name, key, None)
        for key, item in present.items():
            yield self._row(name, key, item)

    def _row(self, name: str, key: str, item: Any) -> Row:
        row = f"{name}/{key}"
        if item is None:
            self._items[name].discard(row)
            return Row("item", row, None)
        self._items[name].add(row)
        return Row("item", row, json.dumps({each: plain(value) for each, value in item.attrs.items()}))

    def restore(self, tables: Iterator[tuple[str, str]], items: Iterator[tuple[str, str]]) -> None:
        """Make tables and items again.

        Raises:
            StateRefusedError: a row makes no sense.
        """
        for name, text in tables:
            region, _, table_name = name.partition("/")
            table = _codec.decode(json.loads(text))
            # Readers of a stream begin anew.
            table.set_stream_specification(table.stream_specification)
            models.dynamodb_backends[self._account][region].tables[table_name] = table
            self._tables.known(name, text)
        found = dict(self._found())
        for row, text in items:
            name = "/".join(row.split("/", 2)[:2])
            if name not in found:
                raise StateRefusedError(f"the item {row!r} is in no table")
            attributes = {each: _value(held) for each, held in json.loads(text).items()}
            _put(found[name], attributes)
            self._items[name].add(row)

    @property
    def item_count(self) -> int:
        """How many items there are."""
        return sum(len(rows) for rows in self._items.values())


def _item_of(table: Any, key: str) -> Any:
    keys = [DynamoType(_value(each)) for each in json.loads(key)]
    partition = table.items.get(keys[0])
    if table.range_key_attr is None or partition is None:
        return partition
    return partition.get(keys[1])


def _put(table: Any, attributes: dict[str, Any]) -> None:
    hash_key, *rest = [DynamoType(attributes[name]) for name in table.table_key_attrs]
    item = Item(hash_key, rest[0] if rest else None, attributes)
    if rest:
        table.items[hash_key][rest[0]] = item
    else:
        table.items[hash_key] = item
