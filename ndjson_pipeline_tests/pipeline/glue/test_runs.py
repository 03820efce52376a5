"""Starting and watching Glue runs, with time that passes by sleeping alone."""

import logging
from collections.abc import Callable

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError
from hypothesis import given
from hypothesis import strategies as st

from ndjson_pipeline.errors import (
    GlueBusyError,
    GlueDeadlineError,
    GlueRunError,
    GlueRunLostError,
    GlueStartRefusedError,
    GlueStartUnclearError,
)
from ndjson_pipeline.glue.begun_runs import BegunRuns
from ndjson_pipeline.glue.runs import (
    ATTEMPTS_ARGUMENT,
    IDENTITY_ARGUMENT,
    LIST_LAG,
    SEARCHED_RUNS,
    GlueRuns,
    WatchRules,
    Workers,
    run_identity,
)
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline_tests.pipeline.harness import FakeGlue, StoppedClock, client_error

TERMINAL = ["SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT", "ERROR", "EXPIRED"]
BUSY = client_error("ConcurrentRunsExceededException")

Make = Callable[..., GlueRuns]

WORKERS = Workers("G.1X", 3)
LISTS_THAT_FAIL: dict[str, Exception] = {}
LISTS = {"s3://m/pipes/x/manifests.txt": "s3://m/manifests/a.json 1\ns3://m/manifests/b.json 2"}


def read_list(uri: str) -> str:
    if uri in LISTS_THAT_FAIL:
        raise LISTS_THAT_FAIL[uri]
    return LISTS[uri]


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def runs_of(clock: StoppedClock, caplog: pytest.LogCaptureFixture) -> Make:
    caplog.set_level(logging.INFO)

    def make(glue: FakeGlue, **rules: object) -> GlueRuns:
        return GlueRuns(
            glue,
            starter=glue,
            job_name="job",
            rules=WatchRules(**rules),
            log=logging.getLogger("glue"),
            read_list=read_list,
            sleep=clock.sleep,
            monotonic=clock.monotonic,
        )

    return make


attempts = st.lists(st.tuples(st.text(max_size=20), st.integers(1, 9)), unique=True, max_size=6)


@given(attempts, st.randoms(use_true_random=False))
def test_an_identity_does_not_depend_on_the_order(pairs: list[tuple[str, int]], draw) -> None:
    shuffled = pairs.copy()
    draw.shuffle(shuffled)
    assert run_identity(shuffled) == run_identity(pairs)


def test_an_identity_differs_by_manifests_and_attempts() -> None:
    identities = [
        run_identity(pairs)
        for pairs in ([("a", 1)], [("a", 2)], [("b", 1)], [("a", 1), ("b", 1)], [("a", 1), ("b", 2)], [])
    ]
    assert len(set(identities)) == len(identities)


def test_a_run_is_found_by_its_identity_the_newest_first(runs_of: Make) -> None:
    glue = FakeGlue()
    for run_id, identity in (("jr_1", "x"), ("jr_2", "y"), ("jr_3", "x"), ("jr_4", None)):
        glue.add_run(run_id, identity)
    found = runs_of(glue).find("x")
    assert found is not None
    assert found.run_id == "jr_3"
    assert runs_of(glue).find("z") is None


def test_the_search_for_a_run_is_bounded_whatever_lies_behind(runs_of: Make) -> None:
    glue = FakeGlue()
    glue.page_size = 50
    for number in range(10 * SEARCHED_RUNS):
        glue.add_run(f"jr_{number}")
    assert runs_of(glue).find("x") is None
    assert glue.pages_read == SEARCHED_RUNS / 50


def test_a_started_run_bears_its_identity(runs_of: Make) -> None:
    glue = FakeGlue()
    runs = runs_of(glue)
    assert runs.start({"--MANIFEST_PATH": "s3://a/b"}, "x", workers=WORKERS) == "jr_1"
    assert glue.runs[0]["Arguments"] == {"--MANIFEST_PATH": "s3://a/b", IDENTITY_ARGUMENT: "x"}
    found = runs.find("x")
    assert found is not None
    assert found.run_id == "jr_1"


def test_a_started_run_gets_its_workers(runs_of: Make) -> None:
    glue = FakeGlue()
    runs_of(glue).start({}, "x", workers=Workers("G.2X", 7))
    assert (glue.runs[0]["WorkerType"], glue.runs[0]["NumberOfWorkers"]) == ("G.2X", 7)


def test_a_run_whose_manifests_are_listed_in_s3_is_found_by_any_of_them(runs_of: Make) -> None:
    glue = FakeGlue()
    (uri,) = LISTS
    glue.runs.append({"Id": "jr_1", "Arguments": {ATTEMPTS_ARGUMENT: uri}})
    begun = BegunRuns(runs_of(glue))
    found = begun.find("b.json", 2, None)
    assert found is not None
    assert found.run_id == "jr_1"
    assert begun.find("a.json", 2, None) is None


def test_a_list_that_is_gone_names_none_and_one_that_cannot_be_read_is_asked_for_again(runs_of: Make) -> None:
    glue = FakeGlue()
    gone, busy = client_error("NoSuchKey"), client_error("SlowDown")
    for run_id, error in (("jr_1", busy), ("jr_2", gone)):
        uri = f"s3://m/pipes/{run_id}/manifests.txt"
        LISTS_THAT_FAIL[uri] = error
        glue.runs.append({"Id": run_id, "Arguments": {ATTEMPTS_ARGUMENT: uri}})
    runs = runs_of(glue)
    older, newer = reversed(runs.newest())
    assert runs.attempts_of(newer) == frozenset()
    with pytest.raises(GlueBusyError):
        runs.attempts_of(older)


@pytest.mark.parametrize("refused", [1, 2, 3])
def test_too_many_going_runs_are_waited_for_twice_as_long_each_time(
    runs_of: Make, clock: StoppedClock, refused: int
) -> None:
    glue = FakeGlue()
    glue.start_errors = [BUSY] * refused
    assert runs_of(glue).start({}, "x", workers=WORKERS) == "jr_1"
    assert clock.sleeps == [60.0, 120.0, 240.0][:refused]


def test_after_three_waits_too_many_going_runs_are_an_error(runs_of: Make, clock: StoppedClock) -> None:
    glue = FakeGlue()
    glue.start_errors = [BUSY] * 4
    with pytest.raises(GlueRunError, match="ConcurrentRunsExceededException"):
        runs_of(glue).start({}, "x", workers=WORKERS)
    assert clock.sleeps == [60.0, 120.0, 240.0]
    assert glue.runs == []


def test_another_refusal_is_an_error_at_once(runs_of: Make, clock: StoppedClock) -> None:
    glue = FakeGlue()
    glue.start_errors = [client_error("AccessDeniedException")]
    with pytest.raises(GlueRunError, match="AccessDeniedException"):
        runs_of(glue).start({}, "x", workers=WORKERS)
    assert clock.sleeps == []


LOST: list[Exception] = [
    ReadTimeoutError(endpoint_url="https://glue"),
    ConnectionClosedError(endpoint_url="https://glue"),
    EndpointConnectionError(endpoint_url="https://glue"),
    ResponseParserError("no JSON"),
    client_error("InternalServiceException"),
    client_error("OperationTimeoutException"),
    ClientError({"Error": {"Code": "503"}, "ResponseMetadata": {"HTTPStatusCode": 503}}, "StartJobRun"),  # type: ignore[typeddict-item]
]
THROTTLED = client_error("ThrottlingException")


@pytest.mark.parametrize("error", [*LOST, THROTTLED], ids=repr)
def test_a_run_whose_answer_was_lost_is_found_and_not_started_again(runs_of: Make, error: Exception) -> None:
    glue = FakeGlue()
    glue.lost_answers = [error]
    notes: list[bool] = []
    assert runs_of(glue).start({}, "x", workers=WORKERS, note=notes.append) == "jr_1"
    assert len(glue.runs) == 1
    assert notes == [True]


def test_a_run_that_the_list_shows_late_is_waited_for(clock: StoppedClock) -> None:
    glue = FakeGlue()
    glue.start_errors = [LOST[0]]

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        glue.add_run("jr_late", "x")

    runs = GlueRuns(
        glue,
        starter=glue,
        job_name="job",
        rules=WatchRules(),
        log=logging.getLogger("glue"),
        read_list=read_list,
        sleep=sleep,
    )
    assert runs.start({}, "x", workers=WORKERS) == "jr_late"
    assert clock.sleeps == [LIST_LAG.total_seconds()]


@pytest.mark.parametrize("error", LOST, ids=repr)
def test_an_unclear_start_that_the_list_never_shows_is_not_tried_again(
    runs_of: Make, clock: StoppedClock, error: Exception
) -> None:
    glue = FakeGlue()
    glue.start_errors = [error]
    notes: list[bool] = []
    with pytest.raises(GlueStartUnclearError, match="identity x"):
        runs_of(glue).start({}, "x", workers=WORKERS, note=notes.append)
    assert glue.runs == []
    assert clock.sleeps == [LIST_LAG.total_seconds()]
    assert notes == [True]


@pytest.mark.parametrize("error", [LOST[0], THROTTLED], ids=repr)
def test_a_start_is_unclear_while_glue_does_not_tell_of_its_runs(runs_of: Make, error: Exception) -> None:
    glue = FakeGlue()
    glue.lost_answers = [error]
    glue.list_errors = [client_error("AccessDeniedException")]
    with pytest.raises(GlueStartUnclearError, match="AccessDenied"):
        runs_of(glue).start({}, "x", workers=WORKERS)
    assert len(glue.runs) == 1


def test_a_throttled_start_is_looked_for_and_tried_again(runs_of: Make, clock: StoppedClock) -> None:
    glue = FakeGlue()
    glue.start_errors = [THROTTLED]
    notes: list[bool] = []
    assert runs_of(glue).start({}, "x", workers=WORKERS, note=notes.append) == "jr_1"
    assert clock.sleeps == [LIST_LAG.total_seconds(), 60.0]
    assert notes == [True, False, True]


def test_a_throttle_that_stays_is_a_refusal(runs_of: Make) -> None:
    glue = FakeGlue()
    glue.start_errors = [THROTTLED] * 4
    with pytest.raises(GlueStartRefusedError):
        runs_of(glue).start({}, "x", workers=WORKERS)


@pytest.mark.parametrize(
    "error",
    [
        client_error("AccessDeniedException"),
        client_error("EntityNotFoundException"),
        client_error("ResourceNumberLimitExceededException"),
        NoCredentialsError(),
        ParamValidationError(report="an argument is no text"),
    ],
    ids=repr,
)
def test_a_clear_refusal_is_told_as_one_without_a_look(
    runs_of: Make, clock: StoppedClock, error: Exception
) -> None:
    glue = FakeGlue()
    glue.start_errors = [error]
    notes: list[bool] = []
    with pytest.raises(GlueStartRefusedError):
        runs_of(glue).start({}, "x", workers=WORKERS, note=notes.append)
    assert (clock.sleeps, glue.pages_read, notes) == ([], 0, [True, False])


def test_a_run_that_is_too_young_to_be_known_is_waited_for(runs_of: Make) -> None:
    unknown = client_error("EntityNotFoundException")
    assert runs_of(FakeGlue([unknown, unknown, "SUCCEEDED"])).watch("jr_1").has_succeeded


def test_the_resource_waits_as_the_contract_says() -> None:
    resource = PipelineResource()
    waits = tuple(resource.concurrency_wait_seconds * 2**n for n in range(resource.concurrency_retries))
    assert waits == WatchRules().concurrency_waits == (60.0, 120.0, 240.0)


@pytest.mark.parametrize("state", TERMINAL)
def test_every_terminal_state_ends_the_watch(runs_of: Make, state: str) -> None:
    glue = FakeGlue(["STARTING", "RUNNING", {"JobRunState": state, "ErrorMessage": "out of memory"}])
    run = runs_of(glue).watch("jr_1")
    assert (run.run_id, run.state, run.is_terminal) == ("jr_1", state, True)
    assert run.has_succeeded is (state == "SUCCEEDED")
    assert state in run.describe_end()
    assert "out of memory" in run.describe_end()


@pytest.mark.parametrize("state", ["STARTING", "RUNNING", "STOPPING", "WAITING", ""])
def test_no_other_state_ends_the_watch(runs_of: Make, state: str) -> None:
    assert runs_of(FakeGlue([state, state, "SUCCEEDED"])).watch("jr_1").state == "SUCCEEDED"


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "OperationTimeoutException", "InternalServiceException"]
)
def test_a_glue_too_busy_to_answer_is_asked_again(
    runs_of: Make, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    glue = FakeGlue([client_error(code), "RUNNING", client_error(code), "SUCCEEDED"])
    assert runs_of(glue).watch("jr_1").has_succeeded
    assert caplog.text.count(code) == 2


def test_the_deadline_holds_while_glue_does_not_answer(runs_of: Make) -> None:
    glue = FakeGlue([client_error("ThrottlingException")])
    with pytest.raises(GlueDeadlineError):
        runs_of(glue, deadline_seconds=100).watch("jr_1")


def test_a_run_past_its_deadline_is_stopped_and_named(runs_of: Make, clock: StoppedClock) -> None:
    glue = FakeGlue(["RUNNING"])
    with pytest.raises(GlueDeadlineError, match="jr_1 of job was still RUNNING"):
        runs_of(glue, deadline_seconds=600).watch("jr_1")
    assert glue.stopped == ["jr_1"]
    assert 600 < sum(clock.sleeps) < 620


def test_a_run_that_glue_does_not_know_is_lost(runs_of: Make) -> None:
    with pytest.raises(GlueRunLostError, match="jr_1"):
        runs_of(FakeGlue([client_error("EntityNotFoundException")])).watch("jr_1")


def test_another_refusal_to_say_is_not_swallowed(runs_of: Make) -> None:
    with pytest.raises(Exception, match="AccessDeniedException"):
        runs_of(FakeGlue([client_error("AccessDeniedException")])).watch("jr_1")


@pytest.mark.parametrize(
    "refusal", [{"JobRunId": "jr_1", "ErrorDetail": {"ErrorCode": "JobRunCannotBeStopped"}}, {}]
)
def test_a_refused_stop_is_a_log_line(
    runs_of: Make, refusal: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    glue = FakeGlue()
    glue.refusals = [refusal]
    assert runs_of(glue).stop("jr_1") is False
    assert "did not stop run jr_1" in caplog.text


def test_a_stop_that_glue_cannot_take_is_a_log_line(runs_of: Make, caplog: pytest.LogCaptureFixture) -> None:
    glue = FakeGlue()
    glue.stop_error = client_error("OperationTimeoutException")
    assert runs_of(glue).stop("jr_1") is False
    assert "did not stop run jr_1" in caplog.text


def test_a_late_run_that_glue_does_not_stop_is_no_stopped_one(runs_of: Make) -> None:
    glue = FakeGlue(["RUNNING"])
    glue.refusals = [{"JobRunId": "jr_1"}]
    with pytest.raises(GlueRunError, match="does not stop it") as raised:
        runs_of(glue, deadline_seconds=1).watch("jr_1")
    assert not isinstance(raised.value, GlueDeadlineError)


def test_a_late_run_that_ends_before_it_is_stopped_ended_as_it_did(runs_of: Make) -> None:
    glue = FakeGlue(["RUNNING", "RUNNING", "RUNNING", "SUCCEEDED"])
    glue.refusals = [{"JobRunId": "jr_1"}]
    assert runs_of(glue, deadline_seconds=1.5).watch("jr_1").has_succeeded


def test_a_taken_stop_is_told(runs_of: Make) -> None:
    assert runs_of(FakeGlue()).stop("jr_1") is True


def test_looks_grow_rarer_with_the_runs_age_between_the_bounds(runs_of: Make, clock: StoppedClock) -> None:
    glue = FakeGlue(["RUNNING"] * 60 + ["SUCCEEDED"])
    runs_of(glue, shortest_poll_seconds=1.0, longest_poll_seconds=10.0).watch("jr_1")
    assert clock.sleeps == sorted(clock.sleeps)
    assert (clock.sleeps[0], clock.sleeps[-1]) == (1.0, 10.0)
    assert any(1.0 < wait < 10.0 for wait in clock.sleeps)
    ages = [sum(clock.sleeps[:position]) for position in range(len(clock.sleeps))]
    assert all(wait <= max(1.0, age / 10) + 1e-6 for age, wait in zip(ages, clock.sleeps, strict=True))


def test_each_state_is_logged_once(runs_of: Make, caplog: pytest.LogCaptureFixture) -> None:
    runs_of(FakeGlue(["STARTING", "RUNNING", "RUNNING", "RUNNING", "SUCCEEDED"])).watch("jr_1")
    assert [record.getMessage() for record in caplog.records if record.name == "glue"] == [
        f"Glue run jr_1 is {state}" for state in ("STARTING", "RUNNING", "SUCCEEDED")
    ]
