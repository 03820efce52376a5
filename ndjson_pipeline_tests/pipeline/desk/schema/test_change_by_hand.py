"""A change of columns by hand: what it would do, and whether it is so already."""

from typing import Any

import pytest

from glue_jobs.schema.change import Author
from glue_jobs.schema.contract import SchemaContract
from glue_jobs.schema.types import FLOAT64, INT64, STRING, struct_of
from ndjson_pipeline.desk.schema.change import (
    SchemaAction,
    SchemaChangeRefusedError,
    Wanted,
    changed_by,
    plan,
    type_named,
    write,
)
from ndjson_pipeline_tests.pipeline.harness import NOW

AUTHOR = Author("a test", "because", NOW)
CONTRACT = SchemaContract({"amount": INT64, "user": struct_of({"name": STRING, "score": FLOAT64})}, version=3)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("epoch ms", "timestamp(ms)"),
        ("EPOCH_s", "timestamp(s)"),
        ("epoch(us)", "timestamp(us)"),
        ("epoch milliseconds", "timestamp(ms)"),
        ("int", "bigint"),
        (" Integer ", "bigint"),
        ("text", "string"),
        ("numeric(9, 3)", "decimal(9,3)"),
        ("decimal(9)", "decimal(9,0)"),
        ("map<string,double>", "map<string,double>"),
        ("nonsense", "nonsense"),
    ],
)
def test_types_are_named_as_people_name_them(text: str, named: str) -> None:
    assert type_named(text) == named


@pytest.mark.parametrize(
    ("wanted", "what", "rebuilds"),
    [
        (("amount", SchemaAction.SET_TYPE, "decimal(12,2)"), "bigint to decimal(12,2)", True),
        (("user.score", SchemaAction.SET_TYPE, "bigint"), "double to bigint", True),
        (("new", SchemaAction.SET_TYPE, "date"), "date when it gets a column", False),
        (("user.new", SchemaAction.KEEP_OUT, None), "gets no column", False),
        (("user.name", SchemaAction.DROP, None), "string dropped", True),
        (("user", SchemaAction.TO_MAP, "json"), "an object with 2 members to map<string,json>", True),
        (("amount", SchemaAction.SET_TYPE, "bigint"), None, False),
    ],
)
def test_a_plan_says_what_would_change_and_whether_files_come_to_be_older(
    wanted: tuple[str, SchemaAction, str | None], what: str | None, rebuilds: bool
) -> None:
    planned = plan(CONTRACT, Wanted(*wanted), AUTHOR)
    assert (planned.what, planned.rebuilds) == (what, rebuilds)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (("amount", SchemaAction.SET_TYPE, "money"), "'money' is no type"),
        (("amuont", SchemaAction.DROP, None), "There is amount"),
        (("Amount", SchemaAction.SET_TYPE, "double"), "differs from the column amount in case alone"),
        (("user.NAME", SchemaAction.SET_TYPE, "double"), "differs from the column user.name in case alone"),
        (("user..x", SchemaAction.SET_TYPE, "double"), "a name was expected"),
        (("amount.x", SchemaAction.SET_TYPE, "double"), "an object with members"),
        (("_rescued", SchemaAction.DROP, None), "the job itself adds"),
        (("amount", SchemaAction.KEEP_OUT, None), "drop it instead"),
        (("amount", SchemaAction.CLEAR_HINT, None), "has no hint"),
        (("a\x00b", SchemaAction.SET_TYPE, "double"), "no column can bear"),
    ],
)
def test_what_can_not_be_changed_says_what_was_expected(
    wanted: tuple[str, SchemaAction, str | None], said: str
) -> None:
    with pytest.raises(SchemaChangeRefusedError) as raised:
        plan(CONTRACT, Wanted(*wanted), AUTHOR)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted("amount", SchemaAction.SET_TYPE, "decimal(12,2)"),
        Wanted("new", SchemaAction.SET_TYPE, "date"),
        Wanted("new", SchemaAction.KEEP_OUT),
        Wanted("user.name", SchemaAction.DROP),
        Wanted("user", SchemaAction.TO_MAP),
        Wanted("user", SchemaAction.TO_MAP, "string"),
    ],
    ids=lambda wanted: f"{wanted.path} {wanted.action.value}",
)
def test_a_change_that_was_made_is_known_again(wanted: Wanted) -> None:
    changed = changed_by(CONTRACT, wanted.path, wanted.action, wanted.type, AUTHOR)
    assert plan(changed, wanted, AUTHOR).what is None


def test_a_misspelled_place_is_noted_before_its_type_waits_for_ever() -> None:
    (waits, meant) = plan(CONTRACT, Wanted("amunt", SchemaAction.SET_TYPE, "double"), AUTHOR).notes
    assert "no column yet" in waits
    assert "There is amount" in meant


class Store:
    """A store in which somebody else was faster."""

    def __init__(self, current: SchemaContract) -> None:
        self.current = current
        self.written: SchemaContract | None = None

    def extend(self, change: Any) -> SchemaContract:
        self.written = change(self.current)
        return self.written


def test_what_was_agreed_to_is_written_beside_what_others_added_meanwhile() -> None:
    planned = plan(CONTRACT, Wanted("amount", SchemaAction.SET_TYPE, "double"), AUTHOR)
    store: Any = Store(CONTRACT.extended({**CONTRACT.types, "more": INT64}, False, ["s3://m/1"], NOW))
    assert dict(write(store, planned, AUTHOR).types) == {**CONTRACT.types, "amount": FLOAT64, "more": INT64}


def test_what_was_agreed_to_and_is_another_change_by_now_is_not_written() -> None:
    planned = plan(CONTRACT, Wanted("amount", SchemaAction.SET_TYPE, "double"), AUTHOR)
    other = changed_by(CONTRACT, "amount", SchemaAction.SET_TYPE, "string", AUTHOR)
    store: Any = Store(other)
    with pytest.raises(SchemaChangeRefusedError, match="changed meanwhile"):
        write(store, planned, AUTHOR)
    assert store.written is None
