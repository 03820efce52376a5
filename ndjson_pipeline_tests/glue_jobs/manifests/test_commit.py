"""Two runs of one manifest under different names, one at each call of the other's; deaths at each call."""

from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta

import boto3
import pytest
from botocore.exceptions import ClientError

from glue_jobs.errors import ManifestsFailedError
from glue_jobs.job import run_job
from glue_jobs.manifests.marker import HELD_FOR
from ndjson_pipeline_tests.glue_jobs.conftest import (
    CREDENTIALS,
    NOW,
    InProcessRunner,
    Lake,
    RecordingAnnouncer,
    make_environment,
)
from ndjson_pipeline_tests.moto_in_process import mended_moto

EXPECTED = Counter(range(6))
PARTS = {"TARGET_FILE_MB": "0.00001"}
FIRST = {"COMPRESSION_TYPE": "gzip"}
OTHER_CODEC = ({"COMPRESSION_TYPE": "snappy"}, {"COMPRESSION_TYPE": "zstd"})
OTHER_SIZE = (PARTS, {"TARGET_FILE_MB": "1"})


@pytest.fixture(scope="module")
def client():
    """One client for all tests: it costs more to make than a test takes, and holds no state of the mock."""
    with pytest.MonkeyPatch.context() as patch, mended_moto():
        prepare(patch)
        return boto3.client("s3")


@pytest.fixture
def lake(monkeypatch, client):
    prepare(monkeypatch)
    with mended_moto():
        yield Lake(client)


def prepare(patch):
    for name, value in CREDENTIALS.items():
        patch.setenv(name, value)
    patch.delenv("AWS_ENDPOINT_URL", raising=False)


class Death(BaseException):
    """The process is gone."""


class Client:
    """S3, with something that happens at a call of the commit's: those from the marker's first on.

    Args:
        client: the real one.
        at: the number of that call, from 0.
        happens: what happens there.
    """

    def __init__(self, client, at=None, happens=lambda: None):
        self.client, self.at, self.happens = client, at, happens
        self.calls = []

    def __getattr__(self, name):
        if name == "get_paginator":
            return lambda operation: self
        method = getattr(self.client, name)
        return lambda **request: self.call(name, lambda: method(**request), request)

    def paginate(self, **request):
        pages = self.client.get_paginator("list_objects_v2").paginate(**request)
        return self.call("list", lambda: list(pages), request)

    def call(self, name, do, request):
        if not self.calls and "/commits/" not in request.get("Key", ""):
            return do()
        number = len(self.calls)
        self.calls.append((name, request.get("Key", "")))
        if number == self.at:
            self.happens()
        return do()


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now

    def pass_time(self):
        self.now += HELD_FOR + timedelta(seconds=1)


class Runs:
    """Runs of one manifest of a lake."""

    def __init__(self, lake):
        self.lake, self.clock = lake, Clock()
        files = [lake.put(f"{part}", [{"n": part * 3 + each} for each in range(3)]) for part in range(2)]
        self.uri = lake.manifest(files)

    def run(self, client=None, **more):
        """Return the error of a run; None where it completed."""
        environment = make_environment(
            self.lake, lambda: nullcontext(InProcessRunner(self.lake.client)), RecordingAnnouncer()
        )
        arguments = self.lake.arguments(self.uri, QUARANTINE_BUCKET=self.lake.quarantine, **more)
        try:
            run_job(arguments, replace(environment, s3=client or self.lake.client, now=self.clock))
        except ManifestsFailedError as error:
            return str(error)
        return None

    def rows(self):
        return Counter(row["n"] for row in self.lake.rows())

    def marker(self):
        (key,) = (key for key in self.lake.keys(self.lake.manifests, "schemas/") if "/commits/" in key)
        return key


@pytest.fixture
def runs(lake):
    return Runs(lake)


def met_at_each_call(runs, names, happens):
    """Yield, for each call of a commit's, the errors of the run and of the one that met it there."""
    mine, theirs = names
    at = 0
    while True:
        assert runs.run(**FIRST) is None
        met = []

        def meet(met=met):
            happens()
            met.append(runs.run(**theirs))

        client = Client(runs.lake.client, at, meet)
        error = runs.run(client, **mine)
        if not met:
            assert at == len(client.calls) > 5
            return
        yield error, met[0]
        at += 1


@pytest.mark.parametrize("names", [OTHER_CODEC, OTHER_SIZE], ids=["codec", "size"])
def test_while_one_has_the_marker_the_other_fails_and_says_who_has_it(runs, names):
    outcomes = []
    for mine, theirs in met_at_each_call(runs, names, lambda: None):
        assert mine is None
        assert runs.rows() == EXPECTED
        if theirs is not None:
            assert "run by hand " in theirs
            assert "is making its output visible" in theirs
        outcomes.append(theirs is None)
    # Up to its third call, the put over what the first run left, nobody has it; nor at the report's.
    assert all(outcomes[:3])
    assert not any(outcomes[3:-1])
    assert outcomes[-1]


def test_who_lost_the_marker_removes_nothing_of_the_others_and_says_who_committed(runs):
    failed = 0
    for mine, theirs in met_at_each_call(runs, OTHER_CODEC, runs.clock.pass_time):
        assert theirs is None
        assert runs.rows() == EXPECTED
        if mine is not None:
            failed += 1
            assert "took over meanwhile, as zstd" in mine
            assert [key.rpartition("-")[2] for key in runs.lake.output_keys()] == ["0000.zstd.parquet"]
    assert failed > 2


def test_who_wrote_over_the_others_file_says_what_to_do(runs):
    """Of the same codec the names overlap: what a run was completing when it stood still lies over it."""
    for mine, theirs in met_at_each_call(runs, OTHER_SIZE, runs.clock.pass_time):
        assert theirs is None
        if runs.rows() != EXPECTED:
            assert "took over meanwhile" in mine
            assert "convert the manifest again when that run has ended" in mine
        assert runs.run(**OTHER_SIZE[1]) is None
        assert runs.rows() == EXPECTED


def test_a_run_of_the_same_names_goes_on_at_once_and_neither_harms_the_other(runs):
    for mine, theirs in met_at_each_call(runs, (OTHER_CODEC[0],) * 2, lambda: None):
        assert (mine, theirs) == (None, None)
        assert runs.rows() == EXPECTED


def test_what_a_dead_run_left_holds_up_another_for_a_time(runs):
    """Its own retry goes on at once: test_death has that."""

    def die():
        raise Death

    mine, other = OTHER_SIZE
    at, is_alive, held = 0, False, 0
    while not is_alive:
        assert runs.run(**FIRST) is None
        try:
            runs.run(Client(runs.lake.client, at, die), **mine)
            is_alive = True
        except Death:
            assert not EXPECTED - runs.rows()
        error = runs.run(**other)
        if error is not None:
            assert "or after 2026-01-31T" in error
            held += 1
            runs.clock.pass_time()
            error = runs.run(**other)
        assert error is None, f"died at call {at}"
        assert runs.rows() == EXPECTED, f"died at call {at}"
        at += 1
    assert held > 3


def test_it_costs_two_calls_where_nobody_was_there_before(runs):
    client = Client(runs.lake.client)
    assert runs.run(client, **PARTS) is None
    of_marker = [name for name, key in client.calls if "/commits/" in key]
    assert of_marker == ["put_object", "put_object"]
    name = runs.uri.rpartition("/")[2]
    assert runs.marker() == f"schemas/{runs.lake.output}/commits/{name}"
    assert runs.run(OUTPUT_PREFIX="lake/x") is None
    assert f"schemas/{runs.lake.output}/lake/x/commits/{name}" in runs.lake.keys(runs.lake.manifests)


class LostAnswers(Client):
    """Each put of a marker takes effect, and its answer is lost; botocore makes it again."""

    def call(self, name, do, request):
        if name == "put_object" and "/commits/" in request["Key"]:
            do()
        return super().call(name, do, request)


def test_a_put_whose_answer_was_lost_is_the_runs_own(runs):
    assert runs.run(**FIRST) is None
    assert runs.run(LostAnswers(runs.lake.client), **OTHER_CODEC[0]) is None
    assert runs.rows() == EXPECTED
    assert runs.run(**OTHER_CODEC[1]) is None


class Refusing(Client):
    """Refuses one of the marker's puts."""

    def __init__(self, client, number, code):
        super().__init__(client)
        self.left, self.code = number, code

    def call(self, name, do, request):
        if name == "put_object" and "/commits/" in request["Key"]:
            self.left -= 1
            if self.left < 0:
                raise ClientError({"Error": {"Code": self.code, "Message": "no"}}, "PutObject")
        return super().call(name, do, request)


@pytest.mark.parametrize("code", ["SlowDown", "AccessDenied"])
def test_without_its_marker_nothing_becomes_visible(runs, code):
    lake = runs.lake
    error = runs.run(Refusing(lake.client, 0, code), **PARTS)
    assert "/commits/manifest-2026-01-30-batch-000001" in error
    assert f"can't be written: An error occurred ({code})" in error
    assert lake.output_keys() == []
    assert "Uploads" not in lake.client.list_multipart_uploads(Bucket=lake.output)


def test_a_marker_that_can_not_be_released_ends_by_itself(runs, caplog):
    assert runs.run(Refusing(runs.lake.client, 1, "SlowDown"), **PARTS) is None
    assert "stays held for 0:15:00" in caplog.text
    assert "is making its output visible" in runs.run(**FIRST)
    runs.clock.pass_time()
    assert runs.run(**FIRST) is None
    assert runs.rows() == EXPECTED


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"[" * 10_000,
        b'{"format": 2}',
        b'{"format": 1, "run": 1}',
        b'{"format": 1, "run": "r", "token": "t", "codec": "c", "until": "x", "state": "held", "keys": []}',
        b'{"format": 1, "run": "r", "token": "t", "codec": "c", "until": "", "state": "free", "keys": []}',
        b'{"format": 1, "run": "r", "token": "t", "codec": "c", "until": "", "state": "held", "keys": [1]}',
        b"\xff",
    ],
)
def test_what_is_no_marker_fails_the_manifest_and_is_named(runs, content):
    assert runs.run(**PARTS) is None
    runs.lake.client.put_object(Bucket=runs.lake.manifests, Key=runs.marker(), Body=content)
    error = runs.run(**FIRST)
    assert f"{runs.marker()} is no marker of a commit" in error
    assert "remove the object" in error
    assert runs.rows() == EXPECTED
