"""What moto 5.2.5 does unlike AWS, put right where this project depends on it.

Every patch says in its first sentence what stock moto does. They hold only while a local AWS runs, and change
moto for the whole process.
"""

import functools
import itertools
import threading
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlparse

import moto
import moto.awslambda.responses
import moto.dynamodb.models
import moto.dynamodb.models.table
import moto.dynamodb.responses
import moto.glue.models
import moto.glue.responses
import moto.s3.notifications
import moto.s3.responses
import moto.sqs.models
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.core.utils import unix_time_millis, utcnow
from moto.dynamodb.comparisons import get_filter_expression
from moto.dynamodb.exceptions import (
    MockValidationException,
    MultipleTransactionsException,
    TooManyTransactionsException,
    TransactionCanceledException,
    TransactWriteSingleOpException,
)
from moto.glue.exceptions import ConcurrentRunsExceededException, JobRunNotFoundException
from moto.s3.exceptions import PreconditionFailed

from ndjson_pipeline.local_aws.errors import LocalAwsError, MotoVersionError
from ndjson_pipeline.local_aws.functions.api import FunctionInvoker
from ndjson_pipeline.local_aws.glue.runs import GlueRuns, RunRequest

MOTO_VERSION = "5.2.5"

_BATCH_WRITE_LIMIT = 25
_TRANSACTION_LIMIT = 100
# How long AWS remembers the token of a transaction, in seconds.
_TOKEN_LIFETIME_SECONDS = 600
_SECONDS_BETWEEN_LOOKS_AT_A_QUEUE = 0.1


@dataclass(frozen=True)
class Services:
    """What the patches hand work to.

    Attributes:
        glue_runs: what starts runs of a Glue job.
        functions: what invokes functions.
        closing: set when the server ends, so that long polls end too.
    """

    glue_runs: GlueRuns
    functions: FunctionInvoker
    closing: threading.Event


Factory = Callable[[Any, Services], Any]


@dataclass(frozen=True)
class Patch:
    """One attribute of moto that is replaced.

    Attributes:
        owner: the class or module.
        attribute: its attribute; it need not exist.
        factory: makes the replacement of the original, which is None where there is none.
    """

    owner: Any
    attribute: str
    factory: Factory

    @property
    def name(self) -> str:
        """Such as `DynamoHandler.call_action`."""
        return f"{self.owner.__name__.rpartition('.')[2]}.{self.attribute}"


PATCHES: list[Patch] = []

_MISSING = object()
_applied: list[tuple[Patch, object]] = []
_apply_lock = threading.Lock()

# Re-entrant, because moto's own methods call each other. S3 sends to SQS, never the other way round.
_dynamodb_lock = threading.RLock()
_s3_lock = threading.RLock()
_sqs_lock = threading.RLock()


def apply(services: Services) -> None:
    """Put moto right, until `remove`.

    Raises:
        MotoVersionError: another version of moto is installed.
        LocalAwsError: the patches are in use by another local AWS of this process.
    """
    if moto.__version__ != MOTO_VERSION:
        raise MotoVersionError(
            f"moto {moto.__version__} is installed, but the local AWS mends moto {MOTO_VERSION} alone; "
            f"install moto[server]=={MOTO_VERSION}, or review every patch in {__name__}"
        )
    with _apply_lock:
        if _applied:
            raise LocalAwsError(
                "a local AWS runs in this process already; use it, or start another as LocalAwsProcess"
            )
        for patch in PATCHES:
            original = vars(patch.owner).get(patch.attribute, _MISSING)
            _applied.append((patch, original))
            replacement = patch.factory(None if original is _MISSING else original, services)
            setattr(patch.owner, patch.attribute, replacement)


def remove() -> None:
    """Give moto its own behaviour back; does nothing where none is applied."""
    with _apply_lock:
        while _applied:
            patch, original = _applied.pop()
            if original is _MISSING:
                delattr(patch.owner, patch.attribute)
            else:
                setattr(patch.owner, patch.attribute, original)


def _patch(owner: Any, *attributes: str) -> Callable[[Factory], Factory]:
    def register(factory: Factory) -> Factory:
        PATCHES.extend(Patch(owner, attribute, factory) for attribute in attributes)
        return factory

    return register


def _locked(original: Any, lock: Any) -> Any:
    @functools.wraps(original)
    def wrapper(*arguments: Any, **named: Any) -> Any:
        with lock:
            return original(*arguments, **named)

    return wrapper


# DynamoDB


@_patch(moto.dynamodb.responses.DynamoHandler, "call_action")
def _one_dynamodb_call_at_a_time(original: Any, _services: Services) -> Any:
    """Stock moto checks a condition and writes in two steps, between which other threads write."""
    return _locked(original, _dynamodb_lock)


@_patch(moto.dynamodb.models.DynamoDBBackend, "transact_write_items")
def _transactions_validate_before_they_write(_original: Any, _services: Services) -> Any:
    """Stock moto undoes a transaction with a copy of the whole table, which loses what others wrote since."""

    def transact_write_items(backend: Any, transact_items: list[dict[str, Any]]) -> None:
        if len(transact_items) > _TRANSACTION_LIMIT:
            raise TooManyTransactionsException
        writes = [_TransactionWrite.of(backend, item) for item in transact_items]
        targets = {write.target for write in writes}
        if len(targets) < len(writes):
            raise MultipleTransactionsException
        reasons = [write.cancellation_reason() for write in writes]
        if any(code is not None for code, _, _ in reasons):
            raise TransactionCanceledException(reasons)
        undo: list[tuple[_TransactionWrite, Any]] = []
        try:
            for write in writes:
                undo.append((write, deepcopy(write.current())))
                write.apply()
        except Exception:
            for write, before in reversed(undo):
                write.restore(before)
            raise

    return transact_write_items


@_patch(moto.dynamodb.responses.DynamoHandler, "transact_write_items")
def _a_repeated_transaction_is_done_once(original: Any, _services: Services) -> Any:
    """Stock moto ignores ClientRequestToken: a client's retry of a committed transaction is cancelled."""
    done: dict[tuple[str, str, str], tuple[float, Any]] = {}

    @functools.wraps(original)
    def transact_write_items(handler: Any) -> Any:
        token = handler.body.get("ClientRequestToken")
        if not token:
            return original(handler)
        now = time.monotonic()
        for key in [key for key, (instant, _) in done.items() if now - instant > _TOKEN_LIFETIME_SECONDS]:
            del done[key]
        key = (handler.current_account, handler.region, token)
        if key in done:
            if done[key][1] != handler.body["TransactItems"]:
                raise JsonRESTError(
                    "com.amazonaws.dynamodb.v20120810#IdempotentParameterMismatchException",
                    "The provided client token was used with other parameters",
                )
            return ActionResult({})
        items = deepcopy(handler.body["TransactItems"])
        result = original(handler)
        done[key] = (now, items)
        return result

    return transact_write_items


@_patch(moto.dynamodb.responses.DynamoHandler, "batch_write_item")
def _a_batch_holds_25_writes(original: Any, _services: Services) -> Any:
    """Stock moto takes a BatchWriteItem of any size."""

    @functools.wraps(original)
    def batch_write_item(handler: Any) -> Any:
        count = sum(len(requests) for requests in handler.body["RequestItems"].values())
        if count > _BATCH_WRITE_LIMIT:
            raise MockValidationException(
                f"Too many items requested for the BatchWriteItem call: {count}, at most {_BATCH_WRITE_LIMIT}"
            )
        return original(handler)

    return batch_write_item


@_patch(moto.dynamodb.models.table.Table, "all_items")
def _items_sort_by_plain_values(_original: Any, _services: Services) -> Any:
    """Stock moto sorts a whole table for every query, with a method call in Python for each comparison."""

    def all_items(table: Any) -> list[Any]:
        if table.range_key_attr is None:
            items = list(table.items.values())
            items.sort(key=lambda item: item.hash_key.cast_value)
        else:
            items = [item for partition in table.items.values() for item in partition.values()]
            items.sort(key=lambda item: (item.hash_key.cast_value, item.range_key.cast_value))
        return items

    return all_items


@dataclass(frozen=True)
class _TransactionWrite:
    """One item of a transaction."""

    backend: Any
    operation: str
    request: dict[str, Any]
    table: Any
    key: dict[str, Any]

    @classmethod
    def of(cls, backend: Any, item: dict[str, Any]) -> "_TransactionWrite":
        if len(item) != 1:
            raise TransactWriteSingleOpException
        ((operation, request),) = item.items()
        table = backend.get_table(request["TableName"])
        source = request["Item"] if operation == "Put" else request["Key"]
        try:
            key = {name: source[name] for name in table.table_key_attrs}
        except KeyError as error:
            raise MockValidationException(
                f"One or more parameter values were invalid: Missing the key {error.args[0]} in the item"
            ) from error
        return cls(backend, operation, request, table, key)

    @property
    def target(self) -> tuple[str, str]:
        return self.table.name, str(sorted(self.key.items()))

    @property
    def _table_keys(self) -> tuple[Any, Any]:
        hash_key, range_key = self.backend.get_keys_value(self.table, self.key)
        return hash_key, range_key

    def current(self) -> Any:
        return self.table.get_item(*self._table_keys)

    def cancellation_reason(self) -> tuple[str | None, str | None, dict[str, Any] | None]:
        condition = self.request.get("ConditionExpression")
        if condition is None:
            return None, None, None
        current = self.current()
        holds = get_filter_expression(
            condition,
            self.request.get("ExpressionAttributeNames"),
            self.request.get("ExpressionAttributeValues"),
        ).expr(current)
        if holds:
            return None, None, None
        shown = None
        if self.request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and current is not None:
            shown = current.to_json()["Attributes"]
        return "ConditionalCheckFailed", "The conditional request failed", shown

    def apply(self) -> None:
        request = self.request
        if self.operation == "Put":
            self.backend.put_item(request["TableName"], request["Item"], overwrite=True)
        elif self.operation == "Delete":
            self.backend.delete_item(request["TableName"], self.key)
        elif self.operation == "Update":
            self.backend.update_item(
                request["TableName"],
                self.key,
                update_expression=request["UpdateExpression"],
                expression_attribute_names=request.get("ExpressionAttributeNames"),
                expression_attribute_values=request.get("ExpressionAttributeValues"),
            )

    def restore(self, before: Any) -> None:
        hash_key, range_key = self._table_keys
        if before is None:
            self.table.delete_item(hash_key, range_key)
        elif range_key is None:
            self.table.items[hash_key] = before
        else:
            self.table.items[hash_key][range_key] = before


# S3


@_patch(moto.s3.responses.S3Response, "key_response", "bucket_response")
def _one_s3_call_at_a_time(original: Any, _services: Services) -> Any:
    """Stock moto lets two PutObject with If-None-Match both win, and breaks a listing that meets a delete."""
    return _locked(original, _s3_lock)


@_patch(moto.s3.notifications, "_get_s3_event")
def _events_have_all_their_fields(original: Any, _services: Services) -> Any:
    """Stock moto leaves sequencer, versionId, requester, owner out of event records."""
    sequence = itertools.count(time.time_ns())

    @functools.wraps(original)
    def get_s3_event(event_name: str, bucket: Any, key: Any, notification_id: str) -> Any:
        event = original(event_name, bucket, key, notification_id)
        for record in event["Records"]:
            record["userIdentity"] = {"principalId": "AWS:LOCAL"}
            record["requestParameters"] = {"sourceIPAddress": "127.0.0.1"}
            record["responseElements"] = {"x-amz-request-id": "LOCAL", "x-amz-id-2": "LOCAL"}
            record["s3"]["bucket"]["ownerIdentity"] = {"principalId": "LOCAL"}
            stored = record["s3"]["object"]
            stored["sequencer"] = f"{next(sequence):018X}"
            if bucket.is_versioned:
                stored["versionId"] = key.version_id
        return event

    return get_s3_event


@_patch(moto.s3.responses.S3Response, "copy_object")
def _copies_look_at_their_condition(original: Any, _services: Services) -> Any:
    """Stock moto ignores CopySourceIfMatch, so that a copy takes content that nobody asked for."""

    @functools.wraps(original)
    def copy_object(response: Any) -> Any:
        expected = response.headers.get("x-amz-copy-source-if-match")
        if expected is not None:
            source = unquote(urlparse(response.headers["x-amz-copy-source"]).path).lstrip("/")
            found = response.backend.get_object(*source.split("/", 1))
            if found is not None and found.etag.strip('"') != expected.strip('"'):
                raise PreconditionFailed("x-amz-copy-source-If-Match")
        return original(response)

    return copy_object


# SQS


@_patch(
    moto.sqs.models.SQSBackend,
    "change_message_visibility",
    "change_message_visibility_batch",
    "create_queue",
    "delete_message",
    "delete_message_batch",
    "purge_queue",
    "set_queue_attributes",
)
@_patch(moto.sqs.models.Queue, "add_message", "delete_message")
def _one_sqs_call_at_a_time(original: Any, _services: Services) -> Any:
    """Stock moto loses a message that is sent while another is deleted."""
    return _locked(original, _sqs_lock)


@_patch(moto.sqs.models.SQSBackend, "receive_message")
def _one_receiver_at_a_time(original: Any, services: Services) -> Any:
    """Stock moto hands one message to two receivers at once, and ends no long poll early."""

    @functools.wraps(original)
    def receive_message(
        backend: Any,
        queue_name: str,
        count: int,
        wait_seconds_timeout: int,
        *others: Any,
    ) -> Any:
        deadline = time.monotonic() + wait_seconds_timeout
        while True:
            with _sqs_lock:
                messages = original(backend, queue_name, count, 0, *others)
            remaining = deadline - time.monotonic()
            if messages or remaining <= 0 or services.closing.is_set():
                return messages
            backend.get_queue(queue_name).wait_for_messages(min(remaining, _SECONDS_BETWEEN_LOOKS_AT_A_QUEUE))

    return receive_message


@_patch(moto.sqs.models.Queue, "messages")
def _messages_ask_for_the_time_once(_original: Any, _services: Services) -> Any:
    """Stock moto asks for the time twice a message whenever it looks at a queue, several times a request."""

    def messages(queue: Any) -> list[Any]:
        now = unix_time_millis()
        return [each for each in queue._messages if each.visible_at < now and each.delayed_until <= now]

    return property(messages)


@_patch(moto.sqs.models.Queue, "approximate_number_of_messages_delayed")
def _delayed_messages_ask_for_the_time_once(_original: Any, _services: Services) -> Any:
    """Stock moto asks for the time for each message of a queue."""

    def delayed(queue: Any) -> int:
        now = unix_time_millis()
        return sum(now < each.delayed_until for each in queue._messages)

    return property(delayed)


@_patch(moto.sqs.models.Queue, "approximate_number_of_messages_not_visible")
def _hidden_messages_ask_for_the_time_once(_original: Any, _services: Services) -> Any:
    """Stock moto asks for the time for each message of a queue."""

    def not_visible(queue: Any) -> int:
        now = unix_time_millis()
        return sum(now <= each.visible_at for each in queue._messages)

    return property(not_visible)


@_patch(moto.sqs.models.Queue, "_set_attributes")
def _a_queue_keeps_its_policy(original: Any, _services: Services) -> Any:
    """Stock moto erases a queue's policy when any other attribute is set."""

    @functools.wraps(original)
    def set_attributes(queue: Any, attributes: dict[str, Any], now: float | None = None) -> None:
        if "Policy" not in attributes:
            attributes = {**attributes, "Policy": queue.policy}
        original(queue, attributes, now)

    return set_attributes


@_patch(moto.sqs.models.Queue, "lambda_event_source_mappings")
def _event_source_mappings_are_inert(_original: Any, _services: Services) -> Any:
    """Stock moto runs a queue's function in Docker inside the send, which uses up the message's receives."""

    def get(_queue: Any) -> dict[str, Any]:
        # The mapping's record is kept with the functions; a queue that knows of none invokes none.
        return {}

    def refuse(_queue: Any, _value: dict[str, Any]) -> None:
        return None

    return property(get, refuse)


# Lambda


@_patch(moto.awslambda.responses.LambdaResponse, "invoke")
def _functions_run_in_processes(original: Any, services: Services) -> Any:
    """Stock moto runs functions in Docker."""

    @functools.wraps(original)
    def invoke(handler: Any) -> Any:
        return services.functions.answer(handler.path, handler.headers, handler.body) or original(handler)

    return invoke


# Glue


@_patch(moto.glue.models.FakeJob, "start_job_run")
def _runs_run_the_script(_original: Any, services: Services) -> Any:
    """Stock moto runs nothing: a run is SUCCEEDED at once, so that MaxConcurrentRuns never bites."""

    def start_job_run(
        job: Any,
        *,
        arguments: dict[str, str] | None,
        timeout: int | None,
        max_capacity: float | None,
        worker_type: str | None,
        number_of_workers: int | None,
        previous_run_id: str | None,
        **_others: Any,
    ) -> str:
        runs = services.glue_runs
        with runs.lock:
            active = sum(not run.state.terminal for run in job.job_runs)
            if active >= job.execution_property.get("MaxConcurrentRuns", 1):
                raise ConcurrentRunsExceededException(f"Concurrent runs exceeded for {job.name}")
            run = runs.start(
                RunRequest(
                    job_name=job.name,
                    script_location=job.command["ScriptLocation"],
                    default_arguments=job.default_arguments,
                    arguments=arguments or {},
                    fixed_arguments=job.non_overridable_arguments or {},
                    timeout_minutes=timeout or job.timeout,
                    glue_version=job.glue_version,
                    worker_type=worker_type or job.worker_type,
                    number_of_workers=number_of_workers or job.number_of_workers,
                    max_capacity=max_capacity or job.max_capacity,
                    previous_run_id=previous_run_id,
                )
            )
            job.job_runs.append(run)
        return run.job_run_id

    return start_job_run


@_patch(moto.glue.models.FakeJob, "get_job_run")
def _a_run_is_what_it_is(_original: Any, _services: Services) -> Any:
    """Stock moto moves a run to its next state when somebody looks at it."""

    def get_job_run(job: Any, run_id: str) -> Any:
        for run in job.job_runs:
            if run.job_run_id == run_id:
                return run
        raise JobRunNotFoundException(run_id)

    return get_job_run


@_patch(moto.glue.models.FakeJob, "get_job_runs")
def _runs_come_newest_first(_original: Any, _services: Services) -> Any:
    """Stock moto lists runs oldest first, and moves them all to their next state."""

    def get_job_runs(job: Any) -> list[Any]:
        return list(reversed(job.job_runs))

    return get_job_runs


@_patch(moto.glue.responses.GlueResponse, "batch_stop_job_run")
def _runs_can_be_stopped(_original: Any, _services: Services) -> Any:
    """Stock moto has no BatchStopJobRun."""

    def batch_stop_job_run(handler: Any) -> Any:
        job_name = handler.parameters["JobName"]
        job = handler.glue_backend.get_job(job_name)
        runs = {run.job_run_id: run for run in job.job_runs}
        stopped, errors = [], []
        for run_id in handler.parameters["JobRunIds"]:
            if run_id not in runs:
                error = ("EntityNotFoundException", f"Job run {run_id} not found.")
            elif not runs[run_id].request_stop():
                error = ("InvalidInputException", f"Job run {run_id} is {runs[run_id].state.value}.")
            else:
                stopped.append({"JobName": job_name, "JobRunId": run_id})
                continue
            detail = {"ErrorCode": error[0], "ErrorMessage": error[1]}
            errors.append({"JobName": job_name, "JobRunId": run_id, "ErrorDetail": detail})
        return ActionResult({"SuccessfulSubmissions": stopped, "Errors": errors})

    return batch_stop_job_run


@_patch(moto.glue.responses.GlueResponse, "update_job")
def _jobs_can_be_updated(_original: Any, _services: Services) -> Any:
    """Stock moto has no UpdateJob."""
    fields: dict[str, tuple[str, Any]] = {
        "Command": ("command", None),
        "Connections": ("connections", None),
        "DefaultArguments": ("default_arguments", {}),
        "Description": ("description", None),
        "ExecutionClass": ("execution_class", "STANDARD"),
        "ExecutionProperty": ("execution_property", {}),
        "GlueVersion": ("glue_version", None),
        "MaxCapacity": ("max_capacity", None),
        "MaxRetries": ("max_retries", 0),
        "NonOverridableArguments": ("non_overridable_arguments", None),
        "NotificationProperty": ("notification_property", None),
        "NumberOfWorkers": ("number_of_workers", None),
        "Role": ("role", None),
        "SecurityConfiguration": ("security_configuration", None),
        "Timeout": ("timeout", None),
        "WorkerType": ("worker_type", None),
    }

    def update_job(handler: Any) -> Any:
        job = handler.glue_backend.get_job(handler.parameters["JobName"])
        update = handler.parameters["JobUpdate"]
        # The service overwrites the whole definition: what the update leaves out is gone.
        for field, (attribute, default) in fields.items():
            setattr(job, attribute, update.get(field, default))
        job.last_modified_on = utcnow()
        return ActionResult({"JobName": job.name})

    return update_job
