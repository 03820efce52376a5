"""Batches of one message, and batches larger than one call."""

from ndjson_pipeline_tests.local_aws.conftest import eventually
from ndjson_pipeline_tests.local_aws.pumped import Pumped, pumped


def test_a_window_collects_a_batch_beyond_one_call(tmp_path):
    aws, records = pumped(
        tmp_path, batch_size=25, batching_window_seconds=1, queue_concurrency=1, lambda_timeout_seconds=10
    )
    with aws:
        pump = Pumped(aws, records)
        ids = [each for count in (10, 10, 5) for each in pump.send(*["ok"] * count)]
        eventually(lambda: all(pump.receives(each) for each in ids))
        sizes = [len(batch) for batch in pump.batches()]
        assert max(sizes) > 10
        assert max(sizes) <= 25


def test_a_failed_invocation_returns_its_batch(tmp_path):
    # A batch of one, so that each command fails its own invocation alone.
    aws, records = pumped(tmp_path, batch_size=1, queue_concurrency=5)
    with aws:
        pump = Pumped(aws, records)
        *failing, good = pump.send("unknown", "raise", "hang", "die", "ok")
        eventually(lambda: pump.dead() == len(failing))
        assert [pump.receives(each) for each in failing] == [[1, 2]] * len(failing)
        assert pump.receives(good) == [1]
        (late,) = pump.send("ok")
        eventually(lambda: pump.receives(late) == [1])
        assert {len(batch) for batch in pump.batches()} == {1}
