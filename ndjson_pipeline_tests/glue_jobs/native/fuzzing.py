"""Lines made up at random from types, with all that may go wrong in them."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping

from glue_jobs.schema.paths import member_path
from glue_jobs.schema.types import (
    BOOLEAN,
    DATE,
    FLOAT64,
    INT64,
    JSON,
    STRING,
    ColumnType,
    Kind,
    TimestampSource,
    decimal,
    list_of,
    map_of,
    struct_of,
    timestamp,
)
from ndjson_pipeline_tests.glue_jobs.native.oracle import Setting

TYPES: Mapping[str, ColumnType] = {
    "a": INT64,
    "b": FLOAT64,
    "s": STRING,
    "t": BOOLEAN,
    "j": JSON,
    "d": decimal(10, 2),
    "e": decimal(38, 10),
    "at": timestamp(TimestampSource.ISO8601),
    "sec": timestamp(TimestampSource.SECONDS),
    "ms": timestamp(TimestampSource.MILLISECONDS),
    "us": timestamp(TimestampSource.MICROSECONDS),
    "day": DATE,
    "l": list_of(INT64),
    "ls": list_of(STRING),
    "ld": list_of(decimal(5, 1)),
    "m": map_of(INT64),
    "mm": map_of(map_of(FLOAT64)),
    "ml": map_of(list_of(STRING)),
    "o": struct_of(
        {
            "x": INT64,
            "y": STRING,
            "m": map_of(struct_of({"p": BOOLEAN, "q": JSON})),
            "z": list_of(
                struct_of(
                    {
                        "p": FLOAT64,
                        "q": struct_of({"r": BOOLEAN, "abcdefghijklmnop": STRING, "abcdefghijklmno": INT64}),
                        "l": list_of(list_of(INT64)),
                    }
                )
            ),
        }
    ),
    "ll": list_of(list_of(FLOAT64)),
    'é"k': STRING,
    "a.b c": INT64,
    "A": INT64,
    "a name that is longer than sixteen bytes": STRING,
    "a name that is longer than sixteen bytez": FLOAT64,
}


def _words(text: str) -> list[str]:
    return text.split()


_TEXTS = ["", "a", "é", "\u20ac" * 5, "x" * 15, "x" * 16, "x" * 17, "x" * 40, '\n\t"\\/\b\f\r\x01\x1f']
_TEXTS += [
    "\U0001f600",
    "\x7f",
    "12",
    "null",
    "\u0000",
    "a" * 31 + "é",
    "{}",
    "],[",
    "NaN",
    "\u2028",
    "\ufeff",
    "\x80\x9f",
]
_NUMBERS = _words(
    """
    0 -0 1 -1 12345678 9007199254740992 9007199254740993 9223372036854775807 9223372036854775808
    -9223372036854775808 -9223372036854775809 18446744073709551616 1.0 1e2 1.7 0.1 1e-400 1e999 -1.5E+3
    5e-324 2.2250738585072011e-308 123456789012345678901234567890 0.30000000000000004
    1.7976931348623157e308 9999999999999999999 99999999999999999999 4.35 72057594037927936.5 -0.0 0.0e5
    0.000000000000000000000000000001 89.99999999999999 9007199254740993.0 9223372036854775807.0
    9.223372036854775808e18 1e18 1e19 -1e-1 100000000000000000000000000000000000000
    99999999999999999999999999999999999999 1e38 0e999999999 1.10 1.005 12345678.90 123456789.01
    99999999.99 100000000.00 1e-99999999999999999999 1e99999999999999999999 4.9e-324
    2.4703282292062328e-324 9.999999999999999e22 1e22 1e23 123456789012345680 12345678901234567.8
    0.1000000000000000055511151231257827 1152921504606846976 36893488147419103232 1.0000000000000002
    1.00000000000000022 253402300799 253402300800 -62135596800 -62135596801 253402300799.999999
    253402300799.9999999 1700000000.123 1700000000123.4567 1.7e9 10000000000000000.5 900719925474099.3
    0.99999999999999999 5e-1 5.0e-1
    """
)
_NUMBERS += ["1" + "0" * 308, "1" + "0" * 309, str(2**1023), str(2**1023 + 1), "9" * 400]
_NUMBERS += ["0." + "0" * 320 + "1"]
_NUMBERS += [str((2**53 - 1) << 971), str(2**1024), "0." + "1" * 50, "1" * 19, "1" * 18 + ".0"]
_NUMBERS += ["12345678901234567.0"]
_BROKEN = _words(
    """
    01 - 1. .5 +1 1e 1e+ 0x1 00 -01 1.5.5 1-1 -NaN Inf nan tru True truex falsey nul nulll . e5 -.5 1.e5
    1.5e \u00b2 "\\x" "\\u12g4" "a\tb" "open [1,] {"a"} {"a":} {,} [1 {a:1} 'a'
    """
)
_TIMES = _words(
    """
    2026-01-30T00:00:00Z 2026-01-30 2026-02-30 2024-02-29 1900-02-29 2000-02-29 0001-01-01 0000-01-01
    9999-12-31 10000-01-01 2026-01-30T24:00:00Z 2026-01-30T23:59:60Z 2026-01-30T23:59
    2026-01-30t23:59:59.123456z 2026-01-30T23:59:59.1234567Z 2026-01-30T23:59:59.123456000
    2026-01-30T23:59:59.Z 2026-01-30T23:59:59+01 2026-01-30T23:59:59+01:30 2026-01-30T23:59:59-0130
    2026-01-30T23:59+24:00 0001-01-01T00:00:00+00:01 0001-01-01T00:00:00-00:01
    9999-12-31T23:59:59.999999Z 9999-12-31T23:59:59-00:01 0000-12-31T23:59:59-00:01 2026-13-01T00:00:00
    2026-00-01 2026-01-00 2026-1-30 2026-01-30T1:00 2026-01-30T00:00:00+1 20260130 T 2026-01-30T
    2026-01-30T00:60:00 2026-01-30T00:00:0 2026-01-30T00:00:00+ 2026-01-30T00:00:00+01:
    2026-01-30T00:00:00Zz
    """
)
_TIMES += ["2026-01-30 00:00:00", "2026-01-30  00:00", " 2026-01-30", "2026-01-30 ", "٢٠٢٦-01-30"]
_ODD_TEXTS = ['"\\ud800"', '"\\ud800\\udc00"', '"\\udc00"', '"\\ud83d\\ude00\\/"']
_ODD_TEXTS += ['"\\ud83d\\u0041é\x7f"', '"\\ud800\\ud800\\udc00"', '"\\u00e9\\u001f\\b"']
_ODD_TEXTS += ['"2026-01-\\u0033\\u0030"']
_ODD_VALUES = ["{}", "[]", "[null,[]]", "NaN", "-Infinity", "Infinity", "[NaN,1]", '{"a":[{}]}']
_STRANGERS = _words(
    """
    "zz" "zz" "zz" "a.a" "\\u007az" "é\x7f" "" "\\u0000" "\\ud800" "x[]"
    """
)
_STRANGE_VALUES = ["1", "null", "[]", "{}", '{"k":[1, "\\ud800"]}', '"\\u00e9"', "NaN", '{"a":1,"a":2}']
_SCALARS = (INT64, FLOAT64, STRING, BOOLEAN)
_NESTED = (list_of(INT64), struct_of({"x": INT64}), map_of(STRING), list_of(struct_of({"k": JSON})))


class Fuzzer:
    """Makes up blocks of lines, and settings to try them with; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._source = random.Random(seed)
        self._dirt = 1.0

    def setting(self) -> Setting:
        """Return columns, of which some may not be settled."""
        source = self._source
        names = source.sample(list(TYPES), source.choice([1, 2, 2, 3, 3, 5, len(TYPES)]))
        types = {name: TYPES[name] for name in names}
        if source.random() < 0.6:
            return Setting(types, types)
        settled = {name: self._settled(column) for name, column in types.items() if source.random() < 0.7}
        closed = {("", "zz"), ("o", "zz"), (member_path("o.z[]", "q"), "a.a")}
        accepts_new = source.random() < 0.6
        return Setting(types, settled, accepts_new, frozenset(one for one in closed if source.random() < 0.7))

    def block(self, types: Mapping[str, ColumnType], most: int = 60) -> bytes:
        """Return some lines, one in six of them mutated."""
        source = self._source
        # Most lines of real data are fine; blocks of all kinds are tried.
        self._dirt = source.choice([0.0, 0.02, 0.1, 0.4])
        record = struct_of(dict(types))
        lines = []
        for _ in range(source.randrange(1, most)):
            line = self._value(record, 0).encode("utf-8", "surrogatepass")
            if source.random() < 0.5 * self._dirt:
                line = self._mutated(line)
            lines.append(line)
            if source.random() < 0.03:
                lines.append(source.choice([b"", b" ", b"\t\r"]))
        end = source.choice([b"\n", b"\n", b"\r\n"])
        return end.join(lines) + source.choice([b"", b"\n", b"\n\n", b"\n "])

    def _settled(self, column: ColumnType) -> ColumnType:
        source = self._source
        if column.kind is Kind.STRUCT:
            kept = {name: self._settled(member) for name, member in column.members if source.random() < 0.7}
            return struct_of(kept or dict(column.members))
        if source.random() < 0.1:
            return STRING
        if column.item is not None:
            item = self._settled(column.item)
            return list_of(item) if column.kind is Kind.LIST else map_of(item)
        return column

    def _value(self, column: ColumnType, depth: int) -> str:
        source = self._source
        if depth and source.random() < 0.05:
            return "null"
        if depth and source.random() < 0.4 * self._dirt:
            odd = source.random()
            if odd < 0.05:
                return source.choice(_BROKEN)
            if odd < 0.2:
                return source.choice(_ODD_VALUES)
            column = source.choice(_SCALARS if depth > 4 else _SCALARS + _NESTED)
        kind = column.kind
        if kind is Kind.STRUCT:
            return self._object(column, depth)
        if kind is Kind.MAP and column.item is not None:
            return self._map(column.item, depth)
        if kind is Kind.LIST and column.item is not None:
            item = column.item
            return self._list([self._value(item, depth + 1) for _ in range(source.randrange(0, 4))])
        if kind is Kind.JSON:
            inner = source.choice([STRING, INT64, FLOAT64, BOOLEAN, *_NESTED])
            return self._value(inner, depth + 1)
        if kind is Kind.BOOLEAN:
            return source.choice(["true", "false"])
        if kind is Kind.DATE or column.source is TimestampSource.ISO8601:
            text = source.choice(_TIMES) if source.random() < 0.1 + self._dirt else self._time(kind)
            return json.dumps(text, ensure_ascii=source.random() < 0.3)
        if kind is Kind.STRING:
            return self._text()
        return self._number(column)

    def _time(self, kind: Kind) -> str:
        source = self._source
        date = f"{source.randrange(1, 10_000):04}-{source.randrange(1, 13):02}-{source.randrange(1, 29):02}"
        if kind is Kind.DATE:
            return date
        zone = source.choice(["", "Z", "z", "+01", f"-{source.randrange(24):02}:{source.randrange(60):02}"])
        fraction = source.choice(["", ":59", f":00.{source.randrange(10**6)}", ":01.5000000"])
        hour = f"{source.randrange(24):02}:{source.randrange(60):02}"
        return f"{date}{source.choice('Tt ')}{hour}{fraction}{zone}"

    def _number(self, column: ColumnType) -> str:
        source = self._source
        if source.random() < self._dirt:
            return source.choice(_NUMBERS)
        if column.kind is Kind.FLOAT64:
            number = source.uniform(-1, 1) * 10 ** source.randrange(-30, 30)
            form = source.choice(["{!r}", "{:.15e}", "{:.16e}", "{:.17g}", "{:.4f}"])
            return form.format(number)
        whole = str(source.randrange(-(10 ** source.randrange(1, 19)), 10 ** source.randrange(1, 19)))
        if source.random() < 0.3:
            whole += "." + str(source.randrange(0, 10 ** source.randrange(1, 8)))
        return whole

    def _text(self) -> str:
        source = self._source
        if source.random() < 0.3 * self._dirt:
            return source.choice(_ODD_TEXTS)
        return json.dumps(source.choice(_TEXTS) + source.choice(_TEXTS), ensure_ascii=source.random() < 0.5)

    def _space(self) -> str:
        return self._source.choice(["", "", "", "", " ", "  ", "\t", " \r"])

    def _list(self, items: list[str]) -> str:
        space = self._space()
        return "[" + space + ("," + space).join(items) + space + "]"

    def _map(self, item: ColumnType, depth: int) -> str:
        source = self._source
        keys = source.sample([*_TEXTS, "k1", "k2", "k3"], source.choice([0, 1, 2, 3, 3, 14]))
        if keys and source.random() < 0.2 * self._dirt:
            keys.append(source.choice(keys))
        members = [(json.dumps(key), self._value(item, depth + 1)) for key in keys]
        if source.random() < 0.1 * self._dirt:
            members.append(('"\\ud800"', source.choice(["1", "null"])))
        return self._members(members)

    def _object(self, column: ColumnType, depth: int) -> str:
        source = self._source
        members = [one for one in column.members if source.random() < 0.8]
        if source.random() < 0.3:
            source.shuffle(members)
        if source.random() < 0.1 * self._dirt and members:
            members.append(source.choice(members))
        written = []
        for name, member in members:
            key = json.dumps(name, ensure_ascii=source.random() < 0.5)
            if source.random() < 0.02:
                key = '"' + "".join(f"\\u{ord(letter):04x}" for letter in name) + '"'
            written.append((key, self._value(member, depth + 1)))
        while source.random() < 0.3 * self._dirt:
            name, value = source.choice(_STRANGERS), source.choice(_STRANGE_VALUES)
            deep = "[" * 29 + "1" + "]" * 29
            written.append((name, deep if source.random() < 0.02 else value))
        return self._members(written)

    def _members(self, members: list[tuple[str, str]]) -> str:
        space = self._space()
        texts = [f"{key}{self._source.choice(['', '', ' '])}:{space}{value}" for key, value in members]
        return "{" + space + ("," + space).join(texts) + space + "}"

    def _mutated(self, line: bytes) -> bytes:
        source = self._source
        changed = bytearray(line)
        for _ in range(source.randrange(1, 3)):
            if not changed:
                break
            place, kind = source.randrange(len(changed)), source.random()
            if kind < 0.3:
                changed[place] = source.randrange(256)
            elif kind < 0.5:
                del changed[place]
            elif kind < 0.7:
                changed.insert(place, source.choice(b'{}[]",:\\ \t\r0123456789-.eEtfn\x00\xff\xc3'))
            elif kind < 0.85:
                del changed[place : place + source.randrange(1, 12)]
            else:
                changed[place:place] = changed[place : place + source.randrange(1, 12)]
        return bytes(changed).replace(b"\n", b"")
