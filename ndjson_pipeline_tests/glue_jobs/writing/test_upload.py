import pytest

from glue_jobs.errors import OutputWriteError
from glue_jobs.writing import upload
from glue_jobs.writing.upload import UploadSink


@pytest.mark.parametrize("size", [1, 6_000_000, 17_000_000])
def test_an_object_is_there_only_when_completed(lake, monkeypatch, size):
    monkeypatch.setattr(upload, "PART_BYTES", 5 * 1_048_576)
    content = b"0123456789abcdef" * (size // 16) + b"x" * (size % 16)
    sink = UploadSink(lake.client, lake.output, "k", "text/plain")
    for start in range(0, size, 1_000_000):
        sink.write(content[start : start + 1_000_000])
    finished = sink.finish()
    assert finished.size == size
    assert lake.output_keys() == []
    finished.complete(lake.client)
    finished.complete(lake.client)
    assert lake.get(lake.output, "k") == content


def test_what_is_aborted_leaves_nothing(lake, monkeypatch):
    monkeypatch.setattr(upload, "PART_BYTES", 10)
    sink = UploadSink(lake.client, lake.output, "k", "text/plain")
    sink.write(b"x" * 50)
    sink.abort()
    assert lake.output_keys() == []
    assert "Uploads" not in lake.client.list_multipart_uploads(Bucket=lake.output)


def test_refusals_name_the_object(lake, monkeypatch):
    monkeypatch.setattr(upload, "PART_BYTES", 10)
    sink = UploadSink(lake.client, f"absent-{lake.tag}", "k", "text/plain")
    with pytest.raises(OutputWriteError, match=r"s3://absent-\w+/k can't be written"):
        sink.write(b"x" * 50)
    sink.abort()
