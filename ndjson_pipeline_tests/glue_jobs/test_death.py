"""The job dies at each of its calls to S3, before or after the call took effect."""

from collections import Counter
from contextlib import nullcontext

import pytest

from glue_jobs.job import run_job
from ndjson_pipeline_tests.glue_jobs.conftest import InProcessRunner, RecordingAnnouncer, make_environment
from ndjson_pipeline_tests.glue_jobs.records import record_of

PARTS = {"TARGET_FILE_MB": "0.00002"}


class Death(BaseException):
    """The process is gone: nothing of it handles this, and no later call of it arrives."""


class Mortal:
    """A client that dies at a call.

    Args:
        client: the real one.
        last: the number of the call, from 0.
        arrives: whether that call takes effect.
    """

    def __init__(self, client, last, arrives):
        self.client, self.last, self.arrives = client, last, arrives
        self.calls = 0

    def __getattr__(self, name):
        method = getattr(self.client, name)

        def call(*arguments, **request):
            number = self.calls
            self.calls += 1
            if number > self.last or (number == self.last and not self.arrives):
                raise Death
            answer = method(*arguments, **request)
            if number == self.last:
                raise Death
            return answer

        return call


def run(lake, uri, client, **more):
    lake_client, lake.client = lake.client, client
    try:
        environment = make_environment(
            lake, lambda: nullcontext(InProcessRunner(client)), RecordingAnnouncer()
        )
    finally:
        lake.client = lake_client
    run_job(lake.arguments(uri, QUARANTINE_BUCKET=lake.quarantine, **more), environment)


def manifest_of(lake, sequence):
    files = [
        lake.put(f"{sequence}-a", [{"n": 1, "only": 1}, {"n": 2}] * 10),
        lake.put(f"{sequence}-b", b'{"n":3}\nbad\n{"n":"x"}\n'),
    ]
    return lake.manifest(files, sequence)


EXPECTED = Counter({"1": 10, "2": 10, "3": 1, "x": 1})


def found(lake):
    return Counter(str(record_of(row)["n"]) for row in lake.rows())


@pytest.mark.parametrize("arrives", [False, True])
def test_rows_are_there_once_after_the_retry(lake, arrives):
    last, is_alive = 0, False
    while not is_alive:
        uri = manifest_of(lake, last + 1)
        key = uri.rpartition("/")[2]
        client = Mortal(lake.client, last, arrives)
        try:
            run(lake, uri, client, OUTPUT_PREFIX=key, **PARTS)
            is_alive = True
        except Death:
            assert not found(lake) - EXPECTED
        run(lake, uri, lake.client, OUTPUT_PREFIX=key, **PARTS)
        assert found(lake) == EXPECTED, f"died at call {last}"
        assert len(lake.rejects()) == 1
        for bucket in (lake.output, lake.quarantine):
            for old in lake.keys(bucket):
                lake.client.delete_object(Bucket=bucket, Key=old)
        last += 1
    assert last > 15


@pytest.mark.parametrize("arrives", [False, True])
def test_rows_are_there_once_all_the_time_while_a_manifest_is_done_again(lake, arrives):
    uri = manifest_of(lake, 1)
    run(lake, uri, lake.client, **PARTS)
    last, is_alive = 0, False
    while not is_alive:
        try:
            run(lake, uri, Mortal(lake.client, last, arrives), **PARTS)
            is_alive = True
        except Death:
            pass
        assert found(lake) == EXPECTED, f"died at call {last}"
        last += 1
    assert last > 15


def test_another_codec_leaves_old_and_new_side_by_side_until_the_retry(lake):
    uri = manifest_of(lake, 1)
    last, is_alive, doubled = 0, False, 0
    while not is_alive:
        run(lake, uri, lake.client, **PARTS)
        try:
            run(lake, uri, Mortal(lake.client, last, True), COMPRESSION_TYPE="zstd", **PARTS)
            is_alive = True
        except Death:
            rows = found(lake)
            assert not EXPECTED - rows, "rows are never away"
            doubled += rows != EXPECTED
        run(lake, uri, lake.client, COMPRESSION_TYPE="zstd", **PARTS)
        assert found(lake) == EXPECTED, f"died at call {last}"
        last += 1
    assert doubled
