import gzip
import random
from dataclasses import replace

import pytest
from botocore.exceptions import ReadTimeoutError

from glue_jobs.errors import InputReadError, MissingInputError
from glue_jobs.reading import inputs
from glue_jobs.reading.inputs import open_files, read_whole
from glue_jobs.reading.lines import UnreadableError
from lambda_ingest.contract.manifest import ManifestFile


def read(lake, *files):
    return [(file.file.uri, b"".join(file.pieces())) for file in open_files(lake.client, files)]


def test_reads_files_in_order(lake):
    files = [lake.put(f"{index:02}", f"{index}\n".encode()) for index in range(30)]
    assert read(lake, *files) == [(file.uri, f"{index}\n".encode()) for index, file in enumerate(files)]


def test_reads_the_version_that_is_listed(lake):
    lake.client.put_bucket_versioning(Bucket=lake.input, VersioningConfiguration={"Status": "Enabled"})
    first = lake.put("a", b"first")
    lake.put("a", b"second")
    assert first.version_id
    assert read(lake, first) == [(first.uri, b"first")]
    lake.client.delete_object(Bucket=lake.input, Key=first.uri.split("/", 3)[3])
    assert read(lake, first) == [(first.uri, b"first")]
    with pytest.raises(MissingInputError, match="gone at version 00000000-0000-0000-0000-000000000000"):
        read(lake, replace(first, version_id="00000000-0000-0000-0000-000000000000"))


def test_other_content_than_listed_is_as_good_as_gone(lake):
    file = lake.put("a", b"x")
    with pytest.raises(MissingInputError, match="other content than listed") as caught:
        read(lake, replace(file, etag="0" * 32))
    assert caught.value.uri == file.uri


def test_an_absent_file_is_named(lake):
    uri = f"s3://{lake.input}/gone.ndjson"
    with pytest.raises(MissingInputError, match=r"gone\.ndjson: gone"):
        read(lake, ManifestFile(uri, 1, "e"))
    with pytest.raises(InputReadError, match="no S3 URI"):
        read(lake, ManifestFile("file:///etc/passwd", 1, "e"))
    with pytest.raises(InputReadError, match="can't be read") as caught:
        read(lake, ManifestFile(f"s3://absent-{lake.tag}/x", 1, "e"))
    assert not isinstance(caught.value, MissingInputError)


def test_large_files_come_in_pieces(lake, monkeypatch):
    monkeypatch.setattr(inputs, "READ_AHEAD_BYTES", 1000)
    monkeypatch.setattr(inputs, "PIECE_BYTES", 700)
    content = random.Random(1).randbytes(5000)
    file = lake.put("a", content)
    for found in open_files(lake.client, [file]):
        pieces = list(found.pieces())
        assert len(pieces) == 8
        assert b"".join(pieces) == content
        assert found.bytes_read == 5000


class Breaking:
    """A client whose bodies break after some bytes."""

    def __init__(self, client, after):
        self.client, self.after, self.calls = client, after, 0

    def get_object(self, **request):
        self.calls += 1
        answer = self.client.get_object(**request)
        body, after = answer["Body"], self.after

        class Body:
            def __init__(self):
                self.sent = 0

            def read(self, amount=None):
                if self.sent >= after:
                    raise ReadTimeoutError(endpoint_url="s3")
                piece = body.read(min(amount or after, after))
                self.sent += len(piece)
                return piece

            def close(self):
                body.close()

        return {**answer, "Body": Body()}


def test_reading_goes_on_where_a_connection_broke(lake):
    content = bytes(range(256)) * 10
    file = lake.put("a", content)
    client = Breaking(lake.client, 1000)
    assert read_whole(client, file) == content
    assert client.calls == 3
    with pytest.raises(InputReadError, match="can't be read beyond byte 0"):
        read_whole(Breaking(lake.client, 0), file)


def put_packed(lake, name, content):
    file = lake.put(name, content)
    key = file.uri.split("/", 3)[3]
    lake.client.put_object(Bucket=lake.input, Key=f"{key}.gz", Body=content)
    return replace(file, uri=f"{file.uri}.gz")


def test_packed_files_are_unpacked(lake):
    content = b'{"a":1}\n' * 1000
    whole = put_packed(lake, "a", gzip.compress(content))
    members = put_packed(lake, "b", gzip.compress(content[:800]) + gzip.compress(content[800:]) + b"\0" * 9)
    assert [found for _, found in read(lake, whole, members)] == [content, content]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"a":1}\n', "wrong magic number"),
        (b"", "empty"),
        (gzip.compress(random.Random(1).randbytes(5000), mtime=0)[:3000], "cut short"),
        (gzip.compress(b"x" * 5000, mtime=0)[:10] + b"\xff" * 100, "damaged"),
        (gzip.compress(b"x" * 5000, mtime=0) + b"more", "damaged"),
    ],
)
def test_what_is_no_sound_gzip_is_said(lake, content, reason):
    with pytest.raises(UnreadableError, match=reason):
        read(lake, put_packed(lake, "a", content))


def test_gzip_under_another_name_is_said(lake):
    with pytest.raises(UnreadableError, match=r"does not end in \.gz"):
        read(lake, lake.put("a", gzip.compress(b"{}")))
