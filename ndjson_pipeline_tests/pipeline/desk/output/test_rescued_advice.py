"""What to do about values that did not fit, from some of them."""

from collections import Counter

import pytest

from glue_jobs.schema.contract import SchemaContract
from glue_jobs.schema.hints import parse_type
from ndjson_pipeline.desk.output.rescued import RescuedPlace, RescuedSample
from ndjson_pipeline.desk.output.rescued_advice import next_step

CONTRACT = SchemaContract(
    {
        "amount": parse_type("bigint"),
        "price": parse_type("decimal(4,1)"),
        "score": parse_type("double"),
        "at": parse_type("timestamp"),
        "room": parse_type("struct<a:bigint>"),
    },
    version=1,
    hints={"debug": "none"},
)


def step(path: str, type_text: str | None, reason: str, *values: str, beside: int = 0) -> str:
    place = RescuedPlace(
        path, type_text, Counter({reason: 3}), [RescuedSample(one, "s3://i/a") for one in values]
    )
    others = [RescuedPlace(f"room.n{number}", None, Counter({"no column": 1})) for number in range(beside)]
    return next_step(place, CONTRACT, [place, *others])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("amount", "bigint", "not exact", "19.99", "5.1"), "schema set amount 'decimal(12,2)'"),
        (("amount", "bigint", "out of range", "9223372036854775808"), "schema set amount 'decimal(19,0)'"),
        (("amount", "bigint", "not exact", "0.1234567890123"), "schema set amount double"),
        (("amount", "bigint", "not exact", "0.12345678901234567890123"), "schema set amount json"),
        (("price", "decimal(4,1)", "not exact", "1.25"), "schema set price 'decimal(12,2)'"),
        (("score", "double", "not exact", "9007199254740993"), "schema set score 'decimal(16,0)'"),
        (("amount", "bigint", "other kind", '"12"', "true"), "schema set amount json"),
        (("at", "timestamp", "other kind", '"yesterday"'), "schema set at string"),
        (("amount", "bigint", "not a number", '"NaN"'), "mend the producer"),
        (("new", None, "no column", "1", "2"), "schema set new bigint"),
        (("new", None, "no column", "1.5"), "schema set new double"),
        (("new", None, "no column", '"2026-01-30"'), "schema set new date"),
        (("new", None, "no column", '"2026-01-30T01:02:03Z"'), "schema set new timestamp"),
        (("new", None, "no column", '{"a":1}'), "schema set new json"),
        (("it's", None, "no column", "true"), """schema set 'it'"'"'s' boolean"""),
        (("Amount", None, "no column", "1"), "another spelling of amount"),
        (("debug", None, "no column", "1"), "declared to have no column"),
        (("a.b", None, "too deep", "[[1]]"), "schema set a json"),
        (("*", None, "no column"), "more places"),
        (("amount", "bigint", "not exact"), "schema set"),
        (("amount", "bigint", "other kind", '{"cut...'), "schema set"),
    ],
)
def test_the_next_step_follows_from_reason_and_samples(given: tuple[str, ...], said: str) -> None:
    assert said in step(*given)


def test_names_that_look_like_data_lead_to_a_map() -> None:
    assert "schema set room --map" in step("room.x", None, "no column", "1", beside=5)
    assert "--map" not in step("room.x", None, "no column", "1", beside=1)
