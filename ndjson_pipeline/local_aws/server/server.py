"""The local AWS in this process: moto's server with everything that makes its resources live."""

import contextlib
import logging
import os
import socket
import threading
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import ThreadedWSGIServer

from lambda_ingest.contract.clock import utc_now
from ndjson_pipeline.deployment.names import Names
from ndjson_pipeline.local_aws import moto_patches
from ndjson_pipeline.local_aws.child_environment import client_environment, inherited_environment
from ndjson_pipeline.local_aws.clients import AwsClients, local_client
from ndjson_pipeline.local_aws.credentials import LocalCredentials
from ndjson_pipeline.local_aws.errors import LocalAwsError, ServerStartError
from ndjson_pipeline.local_aws.functions.api import FunctionInvoker
from ndjson_pipeline.local_aws.functions.deployed import Deployed
from ndjson_pipeline.local_aws.functions.environment import lambda_environment
from ndjson_pipeline.local_aws.functions.function import Invocation, LambdaFunction, function_name
from ndjson_pipeline.local_aws.functions.queue_pump import QueuePump
from ndjson_pipeline.local_aws.functions.runtime import LambdaRuntime
from ndjson_pipeline.local_aws.functions.timer_pump import TimerPump
from ndjson_pipeline.local_aws.glue.runs import GlueRuns, GlueSettings
from ndjson_pipeline.local_aws.log_shipping import LogShipper
from ndjson_pipeline.local_aws.published import FILE as PUBLISHED_FILE
from ndjson_pipeline.local_aws.published import published_to
from ndjson_pipeline.local_aws.resources import create_resources
from ndjson_pipeline.local_aws.server.gate import Gate
from ndjson_pipeline.local_aws.settings import LocalAwsSettings, project_directory
from ndjson_pipeline.local_aws.state.changes import ChangeLog
from ndjson_pipeline.local_aws.state.journal import Journal

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

HOST = "127.0.0.1"
# moto's account for any credentials.
ACCOUNT = "123456789012"

_MANAGED_POLICIES_VARIABLE = "MOTO_IAM_LOAD_MANAGED_POLICIES"
_SECONDS_FOR_REQUESTS_TO_END = 5.0
# A function's process may have to start first.
_SECONDS_BEYOND_AN_INVOCATION = 60.0

_logger = logging.getLogger(__name__)

Fact = TypeVar("Fact")


class LocalAws:
    """A context manager: inside it, AWS is at `endpoint_url`, with all resources made and alive.

    There is one at a time in a process, because moto keeps its state in the process; `LocalAwsProcess` is the
    same in a process of its own. On exit all is gone but `directory`, with logs and folders of runs, and what
    is kept in `state`.

    Args:
        port: which port to listen on; 0 for any free one.
        directory: where logs and folders of Glue runs are kept.
        settings: what differs from the defaults.
        state: where all that clients change is kept, and found again by the next start; None keeps nothing.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        directory: Path,
        settings: LocalAwsSettings | None = None,
        state: Path | None = None,
    ) -> None:
        self.settings = settings or LocalAwsSettings()
        self._state = state
        self.directory = directory.resolve()
        self.feeds = tuple(Names(self.settings.environment, ACCOUNT, feed) for feed in self.settings.feeds)
        self._requested_port = port
        self._endpoint_url: str | None = None
        self._credentials: LocalCredentials | None = None
        self._runtime: LambdaRuntime | None = None
        self.journal: Journal | None = None
        self._exits = contextlib.ExitStack()

    @property
    def names(self) -> Names:
        """The names of everything made, of the first feed; without any, of the one that has no name."""
        return self.feeds[0] if self.feeds else Names(self.settings.environment, ACCOUNT)

    @property
    def endpoint_url(self) -> str:
        """Where AWS answers, such as `http://127.0.0.1:40123`."""
        return _running(self._endpoint_url)

    @property
    def credentials(self) -> LocalCredentials:
        """The only ones that it takes, made anew at each start."""
        return _running(self._credentials)

    def client_environment(self) -> dict[str, str]:
        """Return the environment variables that point any AWS client here, and away from real credentials."""
        return client_environment(self.endpoint_url, self.credentials, self.settings.region, self.directory)

    def client(self, service: str) -> Any:
        """Return a boto3 client of this AWS."""
        return local_client(
            service,
            self.endpoint_url,
            self.credentials,
            self.settings.region,
            self.settings.lambda_timeout_seconds + _SECONDS_BEYOND_AN_INVOCATION,
        )

    def invoke(self, function: str, payload: Any = None) -> Invocation:
        """Run one of the functions, and wait for it.

        Args:
            function: `builder`, `sweeper`, `generator` of the first feed, or a function's full name.
            payload: its event; `{}` where there is none.

        Raises:
            FunctionNotFoundError: there is no such function.
        """
        return self.runtime.invoke(function_name(self.names, function), {} if payload is None else payload)

    @property
    def runtime(self) -> LambdaRuntime:
        """What runs the functions."""
        return _running(self._runtime)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as exits:
            self._start(exits)
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._exits.close()
        self._endpoint_url = self._credentials = self._runtime = self.journal = None

    def _start(self, exits: contextlib.ExitStack) -> None:
        settings = self.settings
        self.directory.mkdir(parents=True, exist_ok=True)
        listener = _listen(self._requested_port)
        exits.callback(listener.close)
        self._endpoint_url = f"http://{HOST}:{listener.getsockname()[1]}"
        self._credentials = credentials = LocalCredentials.make()
        clients = AwsClients.for_endpoint(self._endpoint_url, credentials, settings.region)
        base = {**inherited_environment(os.environ), **self.client_environment()}
        shipper = LogShipper(clients.logs)
        changes = ChangeLog()
        runtime = LambdaRuntime(self._function_environment(base), self.directory / "lambda", shipper)
        glue_runs = GlueRuns(
            clients.s3,
            self.directory / "glue",
            base,
            GlueSettings(
                minute_seconds=settings.glue_minute_seconds,
                stop_grace_seconds=settings.glue_stop_grace_seconds,
                cores=settings.glue_cores,
                driver_memory=settings.glue_driver_memory,
            ),
            shipper,
            changes.mark_run,
        )
        exits.enter_context(_managed_policies(settings.iam_managed_policies))
        closing = threading.Event()
        moto_patches.apply(moto_patches.Services(glue_runs, FunctionInvoker(runtime), closing))
        exits.callback(moto_patches.remove)
        _forget_all_state()
        exits.callback(_forget_all_state)
        exits.enter_context(published_to(self.directory / PUBLISHED_FILE, utc_now))
        application: WSGIApplication = DomainDispatcherApplication(create_backend_app)
        if self._state is not None:
            self.journal = exits.enter_context(Journal(self._state, ACCOUNT, glue_runs, changes))
            application = self.journal.around(application)
        server = _Server(listener, credentials, application)
        server.start()
        exits.callback(server.stop, closing)
        # From here on, the reverse of the order in which things begin is the order in which they end.
        shipper.start()
        exits.callback(shipper.stop)
        exits.callback(glue_runs.stop)
        self._runtime = runtime
        for names in self.feeds:
            create_resources(
                settings.environment,
                feed=names.feed,
                settings=settings.resources,
                clients=clients,
                input_prefix=settings.shared().input_prefix,
                partition_start_date=settings.shared().partition_start_date,
            )
            runtime.register(self._functions(clients, names))
        self._pump(exits, [pump for names in self.feeds for pump in self._pumps(clients, runtime, names)])
        _logger.info("local AWS at %s, files in %s", self._endpoint_url, self.directory)

    def adopt(self) -> None:
        """Have what others made come alive: functions run, mappings and schedules call them; once.

        Raises:
            LocalAwsError: a mapping's or a schedule's function is not there, or of another shape.
        """
        made = Deployed.found_by(self.client, self.settings.region)
        self.runtime.register(made.functions)
        self._pump(
            self._exits,
            made.pumps(
                self.runtime,
                AwsClients.for_endpoint(self.endpoint_url, self.credentials, self.settings.region).sqs,
                ACCOUNT,
            ),
        )

    def _pump(self, exits: contextlib.ExitStack, pumps: Sequence[QueuePump | TimerPump]) -> None:
        """Start pumps; before the runtime ends they are told to, and after it waited for."""
        for pump in pumps:
            exits.callback(pump.join)
        exits.callback(self.runtime.stop)
        for pump in pumps:
            pump.start()
            exits.callback(pump.stop)

    def _function_environment(self, base: dict[str, str]) -> dict[str, str]:
        path = [*self.settings.python_path, str(project_directory())]
        return {**base, "PYTHONPATH": os.pathsep.join(path)}

    def _functions(self, clients: AwsClients, names: Names) -> list[LambdaFunction]:
        settings = self.settings
        variables = {
            **lambda_environment(settings.environment, feed=names.feed, clients=clients),
            **settings.lambda_variables,
        }
        handlers = {
            names.manifest_builder_function: settings.manifest_builder_handler,
            names.sweeper_function: settings.sweeper_handler,
            names.generator_function: settings.generator_handler,
        }
        return [
            LambdaFunction(
                name=name,
                handler=handler,
                arn=f"arn:aws:lambda:{settings.region}:{ACCOUNT}:function:{name}",
                timeout_seconds=settings.lambda_timeout_seconds,
                memory_mb=settings.lambda_memory_mb,
                variables=variables,
            )
            for name, handler in handlers.items()
        ]

    def _pumps(
        self, clients: AwsClients, runtime: LambdaRuntime, names: Names
    ) -> list[QueuePump | TimerPump]:
        settings = self.settings
        pumps: list[QueuePump | TimerPump] = []
        if settings.queue_enabled:
            pumps.append(
                QueuePump(
                    client=clients.sqs,
                    queue_url=clients.sqs.get_queue_url(QueueName=names.queue)["QueueUrl"],
                    queue_arn=f"arn:aws:sqs:{settings.region}:{ACCOUNT}:{names.queue}",
                    region=settings.region,
                    runtime=runtime,
                    function_name=names.manifest_builder_function,
                    batch_size=settings.batch_size,
                    batching_window_seconds=settings.batching_window_seconds,
                    concurrency=settings.queue_concurrency,
                )
            )
        if settings.timer_enabled:
            pumps.append(
                TimerPump(
                    runtime,
                    names.sweeper_function,
                    ACCOUNT,
                    settings.region,
                    settings.sweep_interval_seconds,
                )
            )
        return pumps


class _RequestHandler(MotoRequestHandler):
    """Answers requests, and keeps no access log."""

    def log_request(self, *_arguments: Any) -> None:
        """Say nothing: thousands of lines would hide the one that matters."""

    def log(self, kind: str, message: str, *arguments: Any) -> None:
        _logger.log(logging.ERROR if kind == "error" else logging.DEBUG, message, *arguments)


class _Server(ThreadedWSGIServer):
    """moto's server behind the gate, on a socket that is bound already."""

    def __init__(
        self, listener: socket.socket, credentials: LocalCredentials, application: "WSGIApplication"
    ) -> None:
        host, port = listener.getsockname()[:2]
        super().__init__(
            host,
            port,
            Gate(application, port, credentials),
            handler=_RequestHandler,
            fd=listener.fileno(),
        )
        self._requests: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self._serving = threading.Thread(
            # shutdown() waits for a turn of this loop.
            target=self.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="local-aws",
            daemon=True,
        )

    def start(self) -> None:
        """Begin to answer."""
        self._serving.start()

    def stop(self, closing: threading.Event) -> None:
        """End: no new requests, long polls told so, the others waited for."""
        closing.set()
        self.shutdown()
        self._serving.join()
        self.server_close()
        for request in list(self._requests):
            request.join(timeout=_SECONDS_FOR_REQUESTS_TO_END)
            if request.is_alive():
                _logger.warning("a request is still being answered while the server ends")

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread that `stop` can wait for."""
        thread = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            name="local-aws-request",
            daemon=True,
        )
        self._requests.add(thread)
        thread.start()


def _running(fact: Fact | None) -> Fact:
    if fact is None:
        raise LocalAwsError("the local AWS is not running; use it as a context manager")
    return fact


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # Without it, a port stays taken for a minute after its last connection.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ServerStartError(
            f"port {port} of {HOST} cannot be used: {error.strerror}; "
            "end what listens there, or choose port 0 for any free one"
        ) from error
    return listener


@contextlib.contextmanager
def _managed_policies(wanted: bool) -> Iterator[None]:
    """Tell moto, which asks the environment, whether to load them."""
    before = os.environ.get(_MANAGED_POLICIES_VARIABLE)
    os.environ[_MANAGED_POLICIES_VARIABLE] = str(wanted).lower()
    try:
        yield
    finally:
        if before is None:
            del os.environ[_MANAGED_POLICIES_VARIABLE]
        else:
            os.environ[_MANAGED_POLICIES_VARIABLE] = before


def _forget_all_state() -> None:
    BackendDict.reset()
    reset_model_data()
