"""Peak memory of a task, whatever the size of a file."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# A process of its own, whose peak nothing else has raised; its S3 makes the file while it is read.
SCRIPT = textwrap.dedent(
    """
    import io, json, random, sys
    from datetime import UTC, datetime
    from glue_jobs.schema.columns import Columns
    from glue_jobs.task import PartTask, convert_part
    from lambda_ingest.contract.manifest import ManifestFile

    def peak_kb():
        # Not ru_maxrss: a child begins with the peak of the process that started it.
        status = open("/proc/self/status").read()
        return int(status.partition("VmHWM:")[2].split()[0])

    size, kind = int(sys.argv[1]), sys.argv[2]
    lines = [
        json.dumps({"id": n, "text": f"user {n * 7919 % 1000}", "x": n / 7, "tags": ["a", str(n)]}).encode()
        + bytes([10])
        for n in range(20_000)
    ]
    if kind == "dirty":
        lines[::100] = [b'{"id":"x","x":[1]}' + bytes([10])] * len(lines[::100])
        lines[50::100] = [b"cut short" + bytes([10])] * len(lines[50::100])
    block = b"".join(lines)
    if kind in ("names", "objects", "one line"):
        # Names that no other line has: ids as members of the record, or as keys of objects.
        made = random.Random(7)
        def uid():
            return "%012x" % made.getrandbits(48)
        parts, length = [], 0
        while length < size:
            if kind == "names":
                record = {"id": len(parts), "amount": 1.5, uid(): 1, uid(): 2, uid(): 3}
            elif kind == "objects":
                values = {f"m{n}": n for n in range(10)}
                record = {"id": len(parts), "room": {uid(): values for _ in range(3)}}
            else:
                record = {uid(): n for n in range(size // 19)}
            parts.append(json.dumps(record).encode() + bytes([10]))
            length += len(parts[-1])
        size = length
        block = b"".join(parts)
        del parts
    if kind == "long":
        block = json.dumps({"id": 1, "text": "x" * 50_000_000}).encode() + bytes([10])
    if kind == "endless":
        block = b"x" * 1_000_000

    # As the manifest lists it: the file holds whole blocks.
    size = size // len(block) * len(block)

    class Body:
        def __init__(self):
            self.left, self.view, self.at = size // len(block), b"", 0

        def read(self, amount=None):
            if self.at == len(self.view):
                if not self.left:
                    return b""
                self.left -= 1
                self.view, self.at = block, 0
            piece = self.view[self.at : self.at + (amount or len(self.view))]
            self.at += len(piece)
            return piece

        def close(self):
            pass

    class Client:
        sent = 0

        def get_object(self, **_):
            return {"Body": Body(), "ETag": "e", "ContentLength": size}

        def create_multipart_upload(self, **_):
            return {"UploadId": "u"}

        def upload_part(self, Body, **_):
            Client.sent += len(Body)
            return {"ETag": "e"}

        def put_object(self, **_):
            return {}

        complete_multipart_upload = abort_multipart_upload = put_object

    before = peak_kb()
    task = PartTask(
        "s3://m/1", 0, (ManifestFile("s3://b/k.ndjson", size, "e"),), "o", "k", "snappy",
        datetime.now(UTC), Columns(), False, "q", "r", None,
    )
    result = convert_part(task, Client())
    peak = peak_kb()
    print(json.dumps({
        "error": result.error_message, "read": result.records_read, "written": result.records_written,
        "rejected": result.records_rejected, "rescued": result.records_rescued,
        "peak_mb": peak / 1024, "before_mb": before / 1024, "sent": Client.sent,
        "seconds": result.seconds, "columns": len(result.columns.types), "leaves": result.columns.leaves,
    }))
    """
)
MB = 1_048_576


def convert(size, kind):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(size), kind],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    result = json.loads(done.stdout)
    assert result["error"] is None
    assert result["read"] == result["written"] + result["rejected"]
    return result


@pytest.mark.parametrize(("kind", "size"), [("clean", 300 * MB), ("dirty", 100 * MB)])
def test_a_large_file_is_streamed(kind, size):
    result = convert(size, kind)
    assert result["peak_mb"] < 700
    assert (result["rejected"] > 0) == (result["rescued"] > 0) == (kind == "dirty")


def test_lines_of_50_mb():
    result = convert(200 * MB, "long")
    assert (result["read"], result["written"]) == (4, 4)
    assert result["peak_mb"] < 1000


def test_a_line_without_end():
    # Longer than the bound of a task's memory, so that a task which held the line would show.
    result = convert(1200 * MB, "endless")
    assert (result["read"], result["rejected"]) == (1, 1)
    assert result["peak_mb"] < 1000


@pytest.mark.parametrize(
    ("kind", "columns"), [("names", {"id", "amount"}), ("objects", {"id", "room"}), ("one line", set())]
)
def test_560_kb_of_names_that_are_data(kind, columns):
    result = convert(560_000, kind)
    assert result["written"] == result["read"]
    assert result["columns"] == len(columns)
    assert result["leaves"] < 20
    assert result["peak_mb"] < 300


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["names", "objects"])
def test_64_mb_of_names_that_are_data(kind):
    result = convert(64 * MB, kind)
    assert result["leaves"] < 20
    assert result["peak_mb"] < 800


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_memory_does_not_grow_with_the_file():
    small, large = convert(300 * MB, "clean"), convert(3500 * MB, "clean")
    assert large["peak_mb"] < small["peak_mb"] + 100
