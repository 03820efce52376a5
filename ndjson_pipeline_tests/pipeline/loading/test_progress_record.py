"""How far a load came, in the manifest bucket."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.loading.errors import LoadError, LoadHeldError
from ndjson_pipeline.loading.progress_record import LoadRecord, LoadState, LoadStatus

SOURCE = "s3://elsewhere/logs/ü \n/"
STATE = LoadState(SOURCE, LoadStatus.GOING, holder="arn:me", began_at="2026-01-30T00:00:00Z")


def test_what_is_written_is_read_by_another(desk: Desk) -> None:
    written = LoadRecord(desk, SOURCE).write(replace(STATE, after="a\nb", sent=3))
    assert LoadRecord(desk, SOURCE).read() == written
    assert written.is_alive(desk.clock())
    assert not written.is_alive(desk.clock() + timedelta(minutes=4))
    assert not replace(written, status=LoadStatus.STOPPED).is_alive(desk.clock())
    assert LoadRecord(desk, "s3://other/").read() is None


def test_of_two_the_later_one_goes_on_and_the_other_is_told(desk: Desk) -> None:
    first, second = LoadRecord(desk, SOURCE), LoadRecord(desk, SOURCE)
    first.write(STATE)
    second.read()
    second.write(replace(STATE, holder="arn:other"))
    with pytest.raises(LoadHeldError, match="arn:other goes on"):
        first.write(replace(STATE, sent=1))


def test_two_that_begin_at_once_are_one(desk: Desk) -> None:
    first, second = LoadRecord(desk, SOURCE), LoadRecord(desk, SOURCE)
    assert first.read() is second.read() is None
    first.write(STATE)
    with pytest.raises(LoadHeldError):
        second.write(replace(STATE, holder="arn:other"))


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"\xff", json.dumps({**vars(STATE), "sent": "x"}).encode(), b'{"status": "?"}']
)
def test_what_is_no_record_is_said(desk: Desk, deployment: Deployment, content: bytes) -> None:
    record = LoadRecord(desk, SOURCE)
    deployment.s3.put_object(Bucket=deployment.names.manifest_bucket, Key=record.key, Body=content)
    with pytest.raises(LoadError, match="delete it"):
        record.read()


def test_its_key_is_plain_and_of_its_source_alone(desk: Desk) -> None:
    keys = {LoadRecord(desk, source).key for source in (SOURCE, SOURCE + "x", "s3://a", "s3://a/")}
    assert len(keys) == 4
    for key in keys:
        assert key.isascii()
        assert key.isprintable()
        assert len(key) < 120
