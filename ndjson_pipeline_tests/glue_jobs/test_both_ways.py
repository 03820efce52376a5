"""The native parser and Arrow's give the same output, byte for byte, whatever the input holds."""

import gzip
import json
import random
from datetime import UTC, datetime
from io import BytesIO

import pyarrow.parquet as pq
import pytest
from botocore.response import StreamingBody
from hypothesis import given, settings
from hypothesis import strategies as st

from glue_jobs.native.library import load
from glue_jobs.parsing.arrow_rows import ArrowRowReader
from glue_jobs.parsing.native_rows import NativeRowReader
from glue_jobs.reading.lines import Segment
from glue_jobs.schema.columns import Columns
from glue_jobs.schema.learning import Learning
from glue_jobs.schema.types import INT64, JSON, STRING, list_of, map_of, struct_of
from glue_jobs.task import PartTask, convert_part
from lambda_ingest.contract.manifest import ManifestFile
from ndjson_pipeline_tests.glue_jobs.generated import ANY_RECORD
from ndjson_pipeline_tests.glue_jobs.native.fuzzing import TYPES, Fuzzer

pytestmark = pytest.mark.skipif(load() is None, reason="there is no native parser on this machine")


class Bytes:
    """S3 with some files; what is written is kept."""

    def __init__(self, files):
        self.files = files
        self.written = {}

    def get_object(self, Bucket, Key, **_):  # noqa: N803 - boto3's names
        content = self.files[Key]
        return {
            "Body": StreamingBody(BytesIO(content), len(content)),
            "ETag": "e",
            "ContentLength": len(content),
        }

    def put_object(self, Bucket, Key, Body, **_):  # noqa: N803
        self.written[Key] = Body
        return {"ETag": "e"}

    def create_multipart_upload(self, Bucket, Key, **_):  # noqa: N803
        self.written[Key] = b""
        return {"UploadId": "u"}

    def upload_part(self, Bucket, Key, UploadId, PartNumber, Body):  # noqa: N803
        self.written[Key] += Body
        return {"ETag": str(PartNumber)}

    def abort_multipart_upload(self, **_):
        """Keep what is there: a later pass writes it anew."""


def converted(monkeypatch, reader, files, columns, has_rescued=False):
    client = Bytes({f"{index}": content for index, content in enumerate(files)})
    listed = tuple(ManifestFile(f"s3://in/{index}", len(content), "e") for index, content in enumerate(files))
    task = PartTask(
        "s3://m/1", 0, listed, "out", "part", "snappy", datetime(2026, 1, 31, tzinfo=UTC), columns,
        has_rescued, "quarantine", "rejects", None,
    )  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setattr("glue_jobs.task.row_reader", reader)
        result = convert_part(task, client)
    assert result.error_message is None
    return result, client.written


def compare(monkeypatch, files, columns=None, has_rescued=False):
    columns = columns or Columns()
    native, of_native = converted(
        monkeypatch, lambda learning: NativeRowReader(learning, load()), files, columns, has_rescued
    )
    arrow, of_arrow = converted(monkeypatch, ArrowRowReader, files, columns, has_rescued)
    assert native.columns.types == arrow.columns.types
    assert list(native.columns.types) == list(arrow.columns.types)
    for name in (
        "records_read", "records_written", "records_rejected", "rejected_bytes", "records_rescued",
        "rescued_columns", "has_rescued", "unreadable",
    ):  # fmt: skip
        assert getattr(native, name) == getattr(arrow, name), name
    rejects = [
        gzip.decompress(written.get("rejects", gzip.compress(b""))) for written in (of_native, of_arrow)
    ]
    assert rejects[0] == rejects[1]
    if native.upload is not None:
        rows = [pq.read_table(BytesIO(written["part"])) for written in (of_native, of_arrow)]
        assert rows[0].schema == rows[1].schema
        assert rows[0].to_pylist() == rows[1].to_pylist()
        assert of_native["part"] == of_arrow["part"]
    return native


def lines(*records):
    return b"".join(
        record if isinstance(record, bytes) else json.dumps(record).encode() + b"\n" for record in records
    )


SHAPES = {
    "whole numbers, then fractions": [lines(*[{"a": n} for n in range(500)], *[{"a": 0.5}] * 3)],
    "fractions too late for whole numbers beyond doubles": [lines({"a": 2**60}, *[{"a": 1.5}] * 9)],
    "a column that comes late": [lines(*[{"a": 1}] * 300, *[{"a": 1, "late": "x"}] * 300)],
    "a column that comes in another file": [lines(*[{"a": 1}] * 9), lines({"a": 1, "b": {"c": [1]}})],
    "most are text": [lines({"a": 1}, *[{"a": "x"}] * 5, {"a": [1]}, {"a": None})],
    "objects that grow": [lines(*[{"o": {f"m{n % 40}": n}} for n in range(400)])],
    "always empty": [lines(*[{"a": 1, "e": [], "o": {}, "n": None}] * 300)],
    "case variants": [lines(*[{"userId": 1}] * 5, *[{"userid": 2}] * 4, {"USERID": "x"})],
    "reserved and odd names": [lines({"_rescued": 1, "a": 1, "": 2, "x\0y": 3, "_SOURCE_FILE": "s"})],
    "ids as keys": [lines(*[{"id": n, "by": {f"{n:08x}{k}": k for k in range(5)}} for n in range(300)])],
    "ids as keys, values of all kinds": [lines(*[{"by": {f"{n:08x}": n, f"x{n}": "t"}} for n in range(300)])],
    "ids at the top": [lines(*[{"id": n, f"{n:08x}": 1, f"u{n}": 2} for n in range(400)])],
    "odd members of lists": [lines(*[{"l": [1, 2]}] * 9, {"l": [1, "x", None, {"a": 1}]}, {"l": [[1]]})],
    "no numbers": [b'{"a":NaN,"b":[1,Infinity]}\n{"a":1.5,"b":[-Infinity]}\n{"c":{"d":NaN}}\n'],
    "numbers": [
        b"".join(
            b'{"i":%s,"d":%s}\n' % (text, text)
            for text in b"1 -0 0.0 1.0 1e2 1.5 0.1 1e-400 1e999 9007199254740993 9223372036854775808 "
            b"0.1234567890123456789 123456789012345678.9 0.30000000000000004 -0.0 5e-324 1E400".split()
        )
    ],
    "no records": [
        b'{"a":1}\ngarbage\n{"a":\n[1]\n{"a":1,"a":2}\n{"a":"\xff"}\n\n \n{"a":"x\ty"}\n{"b":1}{"b":2}\n'
    ],
    "deep": [lines({"a": 1}) + b'{"d":' * 40 + b"1" + b"}" * 40 + b"\n" + b'{"d":' * 300 + b"1" + b"}" * 300],
    "surrogates": [
        b'{"a":"x"}\n{"a":"\\ud800"}\n{"\\ud800":1}\n{"o":{"\\udc00":[1]}}\n{"a":"\\ud83d\\ude00"}\n'
    ],
    "nothing": [b"", b"\n\n", b"{}\n{}"],
    # Longer than a page, in files that end within one.
    "long texts": [lines(*[{"t": f"{n * 7919:x}" * 2_500} for n in range(9, 399)])] * 2,
    "long names": [lines(*[{"a": n, f"{n:06}" + "n" * 10_000: n} for n in range(300)])],
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(monkeypatch, name):
    compare(monkeypatch, SHAPES[name])


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_again_under_the_columns_that_they_gave(monkeypatch, name):
    first = compare(monkeypatch, SHAPES[name])
    again = compare(monkeypatch, SHAPES[name], Columns(dict(first.columns.types)), first.has_rescued)
    assert again.columns.types == first.columns.types
    compare(monkeypatch, SHAPES[name][::-1], first.columns, has_rescued=True)


@settings(max_examples=60, deadline=None)
@given(st.lists(ANY_RECORD, min_size=1, max_size=12), st.integers(0, 2**20))
def test_any_records(records, seed):
    source = random.Random(seed)
    known = {name: column for name, column in TYPES.items() if source.random() < 0.1}
    with pytest.MonkeyPatch.context() as monkeypatch:
        compare(monkeypatch, [lines(*records), lines(*records[::-1])], Columns(known))


@pytest.mark.parametrize("seed", range(12))
def test_lines_made_up_from_types(monkeypatch, seed):
    fuzzer = Fuzzer(seed)
    setting = fuzzer.setting()
    blocks = [fuzzer.block(setting.types) for _ in range(6)]
    compare(monkeypatch, blocks, Columns(dict(setting.settled), accepts_new=setting.accepts_new))


LATER_VALUES = {
    "new members of a list's objects": (
        {"a": list_of(struct_of({"b": INT64}))},
        [lines({"a": [{"b": 1}, 5, None, [1], "x", {"b": "y", "c": 2}, {}]}), lines({"a": [{"d": [1]}]})],
        {"a": list_of(struct_of({"b": INT64, "c": INT64, "d": list_of(INT64)}))},
    ),
    "new members of a map's objects": (
        {"m": map_of(struct_of({"b": INT64}))},
        [lines({"m": {"k": {"b": 1, "c": "x"}}})],
        {"m": map_of(struct_of({"b": INT64, "c": STRING}))},
    ),
    "items of another kind": (
        {},
        [lines({"a": [[{"b": "x"}, None], {"b": 1}, []]}), lines({"a": [[{"b": 1}]]})],
        {"a": list_of(list_of(struct_of({"b": STRING})))},
    ),
    "values of another kind": (
        {},
        [lines({"a": {"b": 1}}), lines(*[{"a": [1]}] * 5)],
        {"a": list_of(INT64)},
    ),
    "a map's values of another kind": (
        {},
        [
            lines(*[{"m": {f"{n:08x}": {"a": 1}}} for n in range(100)]),
            lines(*[{"m": {f"{n:08x}": "t"}} for n in range(200, 600)]),
        ],
        {"m": JSON},
    ),
}


@pytest.mark.parametrize("name", LATER_VALUES)
def test_what_comes_later_counts_as_what_came_first(monkeypatch, name):
    known, files, wanted = LATER_VALUES[name]
    for order in (files, files[::-1]):
        assert compare(monkeypatch, order, Columns(dict(known))).columns.types == wanted


@pytest.mark.parametrize("reader", [lambda learning: NativeRowReader(learning, load()), ArrowRowReader])
def test_what_is_rescued_counts_among_what_waits(reader):
    # Else it would wait for ever, where it is all that there is.
    rows = reader(Learning(Columns({"a": INT64}, accepts_new=False)))
    try:
        data = lines(*[{"a": "x" * 1_000}] * 500)
        assert rows.read(Segment(data, 1, 0), 0).lines == 500
        assert 500_000 < rows.size < 600_000
        taken = rows.take()
        assert 500_000 < sum(each.nbytes for each in taken) < 600_000
        assert rows.size == 0
    finally:
        rows.close()
