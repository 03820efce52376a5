import gzip
import random
import threading
from dataclasses import replace
from io import BytesIO

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from glue_jobs.errors import InputReadError, MissingInputError
from glue_jobs.reading import inputs
from glue_jobs.reading.inputs import open_files, read_whole
from glue_jobs.reading.lines import UnreadableError
from glue_jobs.storage import CONCURRENT_READS
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
    content = random.Random(1).randbytes(2500).hex().encode()
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


def test_a_name_does_not_matter(lake):
    content = b'{"a":1}\n' * 1000
    packed, plain = lake.put("a", gzip.compress(content)), lake.put("b", content)
    key = plain.uri.split("/", 3)[3]
    lake.client.put_object(Bucket=lake.input, Key=f"{key}.gz", Body=content)
    named = replace(plain, uri=f"{plain.uri}.gz")
    assert [found for _, found in read(lake, packed, plain, named)] == [content] * 3


def test_what_can_not_be_read_says_how_much_of_the_file_that_is(lake):
    content = random.Random(1).randbytes(100_000).hex().encode()
    packed = gzip.compress(b"{" + content, mtime=0)
    for sent, lost in [
        (packed + b"\xff" * 50_000, range(50_000, 55_000)),
        (b"PK\x03\x04" + packed, range(len(packed) + 4, len(packed) + 5)),
        (gzip.compress(b"PK\x03\x04" + content), range(100_000, 200_000)),
        (packed[:50_000], range(1)),
    ]:
        (file,) = open_files(lake.client, [lake.put("a", sent)])
        with pytest.raises(UnreadableError) as caught:
            list(file.pieces())
        assert caught.value.unread_bytes in lost


def test_bytes_of_a_packed_file_weigh_what_they_take_in_it(lake):
    content = b'{"a":1}\n' * 1000
    packed = gzip.compress(content)
    (file,) = open_files(lake.client, [lake.put("a", packed)])
    list(file.pieces())
    assert file.stored_bytes(len(content)) == len(packed)
    assert file.stored_bytes(len(content) // 2) == round(len(packed) / 2)


def test_many_small_files_are_read_at_once(lake):
    files = [lake.put(f"{index:02}", b"{}") for index in range(40)]
    waiting = threading.Barrier(CONCURRENT_READS, timeout=60)

    class Meeting:
        def get_object(self, **request):
            if not waiting.broken and int(request["Key"][-9:-7]) < CONCURRENT_READS:
                waiting.wait()
            return lake.client.get_object(**request)

    assert len([b"".join(file.pieces()) for file in open_files(Meeting(), files)]) == 40


class Listed:
    """S3 that has some contents by key, and notes which thread reads what."""

    def __init__(self, contents):
        self.contents = contents
        self.readers = {}

    def get_object(self, Key, **_):  # noqa: N803 - boto3's name
        self.readers.setdefault(threading.get_ident(), []).append(Key)
        content = self.contents.get(Key)
        if content is None:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        return {"Body": BytesIO(content), "ETag": "e", "ContentLength": len(content)}

    def listed(self):
        return [
            ManifestFile(f"s3://in/{key}", len(content or b"?"), "e")
            for key, content in self.contents.items()
        ]


def test_of_many_small_files_each_is_itself_whoever_reads_it():
    contents = {f"{index:04}": f"{index}\n".encode() for index in range(1_000)}
    contents["0003"] = contents["0640"] = None
    contents["0500"] = b"x" * 300_000
    client = Listed(contents)
    found, gone = {}, []
    for file in open_files(client, client.listed()):
        key = file.file.uri.rpartition("/")[2]
        try:
            found[key] = b"".join(file.pieces())
        except MissingInputError:
            gone.append(key)
    assert list(found) == [key for key in contents if key not in gone]
    assert found == {key: content for key, content in contents.items() if content is not None}
    assert gone == ["0003", "0640"]
    read = [key for keys in client.readers.values() for key in keys]
    assert sorted(read) == sorted(contents), "each is read once"


@pytest.mark.parametrize(("count", "together"), [(1, 1), (64, 1), (640, 10), (2_500, 16)])
def test_the_more_small_files_there_are_the_more_a_thread_reads_at_once(count, together):
    files = Listed({f"{index:04}": b"{}" for index in range(count)}).listed()
    groups = list(inputs._groups(files))
    assert [file for group in groups for file in group] == files
    assert {len(group) for group in groups[:-1]} <= {together}


def test_no_more_is_read_together_than_little_memory_takes():
    files = [ManifestFile(f"s3://in/{index}", 100_000, "e") for index in range(2_500)]
    assert {len(group) for group in inputs._groups(files)} == {2}
    large = [replace(file, size_bytes=10**9) for file in files]
    assert {len(group) for group in inputs._groups(large)} == {1}
