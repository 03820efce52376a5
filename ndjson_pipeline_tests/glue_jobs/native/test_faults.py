"""Lines that are no records: the native parser says what Python's rules say of them."""

import random

import pytest

from glue_jobs.native.builder import Fault, Refused
from glue_jobs.native.library import Library
from glue_jobs.parsing.faults import reason_of
from glue_jobs.parsing.records import NotARecordError, load_record
from glue_jobs.schema.types import FLOAT64, INT64, STRING, struct_of
from ndjson_pipeline_tests.glue_jobs.native.oracle import Setting, check_faults

TYPES = {"a": INT64, "s": STRING, "o": struct_of({"x": INT64}), "b": FLOAT64}
SIGNS = '{}[]",:\\ \t\r0123456789-.eEtfnNIu\x01é€\x00'
LINES = [
    '{"a":1,"s":"x\\u00e9\\n","o":{"x":[1,2.5e3,-0]},"b":1.5}',
    '{"é":"ü", "k":[{}, [], "\\ud83d\\ude00"]}',
    '{"a" :  1 , "s":"\\"" }',
    '{"a":1}{"b":2}',
    '{"a":{"b":1,"b":2},',
    '{"a":[[[[{"q":1,"\\u0071":2}]]]]}',
    '{"s":"\\u00e9"}',
    '{"s":"\\u00e9',
    '{"s":"\\u00e',
    '{"cut":"sho',
    '{"a":tru',
    '{"a":1,}',
    "[1,]",
    "garbage",
    "[1, 2]",
    '"text"',
    "-1.5e+3",
    "-Infinity",
    "Infinity",
    "NaN",
    "true",
    "null",
    "01",
    "1.",
    "1e",
    "-",
]
FAULTS = {
    Fault.VALUE: ["garbage", '{"a":', "[", "[1,", '{"a":tru}', "-", '{"é":.5}'],
    Fault.NAME: ["{", "{a", '{"a":1,', '{"a":1,b'],
    Fault.COLON: ['{"a"', '{"a" 1}'],
    Fault.COMMA: ['{"a":1', '{"a":01}', "[1 2]", '{"a":[1}', '{"a":1e}'],
    Fault.EXTRA: ['{"a":1}{"a":2}', "1.", "01", "[] ,", '"é" x'],
    Fault.OPEN_TEXT: ['{"cut":"sho', '{"a', '{"a":"\\', '["é","\\"'],
    Fault.CONTROL: ['{"a":"\t"}', '{"\x00":1}'],
    Fault.DUPLICATE: ['{"a":1,"a":2}', '[{"o":{"é":1,"\\u00e9":2}},'],
    Fault.ARRAY: ["[]", "[1, 2]"],
    Fault.TEXT: ['"text"'],
    Fault.NUMBER: ["1", "-0.5e1", "NaN", "-Infinity"],
    Fault.BOOLEAN: ["true", "false"],
    Fault.NOTHING: ["null"],
}
# Said in other words by other versions of Python, or rare.
PYTHONS = ['{"a":1,}', "[1,]", '"\\x"', '"\\u12g4"', '"\\u00e9', "[" * 201, "\udcff"]


@pytest.mark.parametrize("settled", [TYPES, {}], ids=["settled", "learning"])
def test_each_fault_is_told_in_the_words_of_the_rules(native: Library, settled: dict[str, object]) -> None:
    setting = Setting(TYPES, settled, accepts_new=not settled)  # type: ignore[arg-type]
    for fault, lines in FAULTS.items():
        for line in lines:
            refused: list[Refused] = []
            with setting.open(native) as builder:
                builder.feed(f" {line}\t".encode(), 0, refused)
            assert [one.fault for one in refused] == [fault], line
            with pytest.raises(NotARecordError) as rule:
                load_record(line.strip().encode())
            assert reason_of(refused[0].fault, refused[0].character) == str(rule.value)


def test_python_is_asked_for_the_others(native: Library) -> None:
    for line in PYTHONS:
        refused: list[Refused] = []
        with Setting(TYPES, TYPES).open(native) as builder:
            builder.feed(line.encode(errors="surrogateescape"), 0, refused)
        assert all(reason_of(one.fault, one.character) is None for one in refused), line


def test_mutated_lines(native: Library) -> None:
    source = random.Random(11)
    told = 0
    for number in range(30):
        lines = [_mutated(source, source.choice(LINES)) for _ in range(200)]
        settled = TYPES if number % 2 else {}
        told += check_faults("\n".join(lines).encode(), Setting(TYPES, settled, number % 3 > 0), native)
    assert told > 3_000


def _mutated(source: random.Random, line: str) -> str:
    for _ in range(source.choice([0, 1, 1, 1, 2, 3])):
        if not line:
            break
        place, kind = source.randrange(len(line)), source.random()
        if kind < 0.3:
            line = line[:place]
        elif kind < 0.5:
            line = line[:place] + line[place + 1 :]
        else:
            line = line[:place] + source.choice(SIGNS) + line[place + (kind > 0.75) :]
    return source.choice(["", "", " ", "\t"]) + line + source.choice(["", "", " ", "\r"])
