"""What is found of one part of a deployment."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from botocore.exceptions import BotoCoreError, ClientError

from lambda_ingest.contract.items import error_code
from lambda_ingest.contract.text import printable
from ndjson_pipeline.desk.aws_errors import is_denied, permission_of, sentence_of
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.errors import PipelineError


class State(StrEnum):
    """How a part is."""

    OK = "ok"
    WRONG = "wrong"
    WARNING = "warning"
    UNSEEN = "not seen"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's.

    Attributes:
        part: what was looked at.
        state: how it is.
        said: what was seen, in a few words.
        to_do: what to do; None where nothing is.
    """

    part: str
    state: State
    said: str
    to_do: str | None = None


Check = Callable[[Desk], Iterable[Finding]]


def ok(part: str, said: str) -> Finding:
    """Return that a part is well."""
    return Finding(part, State.OK, said)


def judged(part: str, problems: Iterable[tuple[str, str]], said: str) -> Finding:
    """Return that a part is well, or what is wrong with it.

    Args:
        part: what was looked at.
        problems: each with what to do.
        said: where there is none.
    """
    found = list(problems)
    if not found:
        return ok(part, said)
    return Finding(
        part, State.WRONG, "; ".join(problem for problem, _ in found), "; ".join(step for _, step in found)
    )


def examined(desk: Desk, part: str, check: Check) -> list[Finding]:
    """Return what a check finds; what it may not see is said, and keeps no other check from its work."""
    try:
        return list(check(desk))
    except (ClientError, BotoCoreError) as error:
        if isinstance(error, ClientError) and is_denied(error):
            operation = error.operation_name
            permission = permission_of(operation, desk.calls.service(operation))
            target = printable(desk.calls.target(operation) or part)
            return [Finding(part, State.UNSEEN, f"{target} may not be looked at", f"give {permission}")]
        if error_code(error) == "UnknownOperationException":
            return [Finding(part, State.UNSEEN, "this AWS does not know what was asked")]
        said, _, step = sentence_of(error, desk.calls).partition(": ")
        return [Finding(part, State.WRONG, said, step or None)]
    except NotImplementedError:
        # moto in this process says so where its server answers that the operation is unknown.
        return [Finding(part, State.UNSEEN, "this AWS does not know what was asked")]
    except PipelineError as error:
        return [Finding(part, State.WRONG, str(error))]
