"""The options that all commands have, in one place: each command's own function does without them."""

import inspect
import os
from collections.abc import Callable
from typing import Annotated, Any, Concatenate, ParamSpec

import typer

from ndjson_pipeline.cli.exit_codes import ExitCode
from ndjson_pipeline.cli.session import CommonOptions, Consent, Session

Given = ParamSpec("Given")
Command = Callable[Concatenate[Session, Given], ExitCode | None]

COMMON_PANEL = "Every command"
CHANGE_PANEL = "Every command that changes something"
_CONTEXT = "context"
_COMMON: dict[str, Any] = {
    "env": Annotated[
        str | None,
        typer.Option(help="dev or prod; else NDJSON_ENVIRONMENT, or dev.", rich_help_panel=COMMON_PANEL),
    ],
    "feed": Annotated[
        str | None,
        typer.Option(
            help="The feed's name; without it NDJSON_FEED, or the stream that has none.",
            rich_help_panel=COMMON_PANEL,
        ),
    ],
    "endpoint_url": Annotated[
        str | None,
        typer.Option(
            help="Where AWS answers; else AWS_ENDPOINT_URL, or the real one.",
            rich_help_panel=COMMON_PANEL,
        ),
    ],
    "region": Annotated[
        str | None,
        typer.Option(help="The deployment's; without it AWS_DEFAULT_REGION.", rich_help_panel=COMMON_PANEL),
    ],
    "debug": Annotated[
        bool, typer.Option("--debug", help="Show the stack of an error.", rich_help_panel=COMMON_PANEL)
    ],
    "json": Annotated[
        bool,
        typer.Option("--json", help="Print one JSON object, errors too.", rich_help_panel=COMMON_PANEL),
    ],
}
_CONSENT: dict[str, Any] = {
    "yes": Annotated[bool, typer.Option("--yes", help="Do not ask.", rich_help_panel=CHANGE_PANEL)],
    "dry_run": Annotated[
        bool,
        typer.Option("--dry-run", help="Only show what would be done.", rich_help_panel=CHANGE_PANEL),
    ],
}


def add_common_options(app: typer.Typer) -> None:
    """Take the common options before the command, too.

    Args:
        app: the whole command line.
    """

    def common(**given: Any) -> None:
        context: typer.Context = given.pop(_CONTEXT)
        context.obj = CommonOptions(**given)

    app.callback()(_with_signature(common, [_context(), *_parameters(_COMMON)]))


def command(
    app: typer.Typer, name: str, *, panel: str, changes: bool = False
) -> Callable[[Command[Given]], Command[Given]]:
    """Register a command that is given a session; its exit code is DONE where it returns none.

    Args:
        app: what it is a command of.
        name: as it is typed.
        panel: under which heading the help shows it.
        changes: whether it changes something, and so takes --yes and --dry-run.
    """

    def register(function: Command[Given]) -> Command[Given]:
        signature = inspect.signature(function, eval_str=True)
        own = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in list(signature.parameters.values())[1:]
        ]

        def run(**given: Any) -> None:
            context: typer.Context = given.pop(_CONTEXT)
            options = CommonOptions(**{option: given.pop(option) for option in _COMMON})
            consent = Consent(**{option: given.pop(option) for option in _CONSENT}) if changes else None
            session = session_of(context, options, consent)
            raise typer.Exit(_code_of(session, lambda: function(session, **given)))  # type: ignore[call-arg]

        run.__doc__ = function.__doc__
        added = _parameters(_CONSENT) if changes else []
        registered = _with_signature(run, [_context(), *own, *added, *_parameters(_COMMON)])
        app.command(name, rich_help_panel=panel)(registered)
        return function

    return register


def session_of(context: typer.Context, options: CommonOptions, consent: Consent | None) -> Session:
    """Return the session of a command.

    Args:
        context: the command's; the root's has the options that stood before it.
        options: that stood after it.
        consent: to its change; None where it changes nothing.
    """
    earlier = context.find_root().obj
    if isinstance(earlier, CommonOptions):
        options = options.over(earlier)
    return Session(options, dict(os.environ), consent=consent)


def _code_of(session: Session, work: Callable[[], ExitCode | None]) -> ExitCode:
    """Do a command's work; an error is shown as its output is, and returned as its exit code."""
    try:
        session.demand_consent()
        return work() or ExitCode.DONE
    except typer.Exit:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, a person reads a sentence
        return session.fail(error)


def _context() -> inspect.Parameter:
    return inspect.Parameter(_CONTEXT, inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)


def _parameters(options: dict[str, Any]) -> list[inspect.Parameter]:
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=annotation,
            default=False if name in {"debug", "json", "yes", "dry_run"} else None,
        )
        for name, annotation in options.items()
    ]


def _with_signature(
    function: Callable[..., None], parameters: list[inspect.Parameter]
) -> Callable[..., None]:
    """Give a function the parameters that Typer shall see."""
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return function
