"""Asks the database of known vulnerabilities about all that the locks pin, by pip-audit; `make audit`.

It ends with status 1 where a pinned version is known to be vulnerable, and where pip-audit fails for
another reason than its database. Where that can't be reached, or does not know the packages (a mirror of
the index has no such database), it says so, and ends with 0: what can't be asked is no finding, and no
clean bill either.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LOCKS = Path(__file__).resolve().parent
# The smallest first: whether the database answers is known after three packages.
TARGETS = (
    LOCKS / "lambda.lock",
    LOCKS / "glue.lock",
    LOCKS / "native.lock",
    LOCKS / "code_location.lock",
    LOCKS.parents[1] / "requirements.lock",
)
# Ends of pip-audit that mean its database, and not the lock: what `requests` and pip-audit call them.
_UNREACHABLE = (
    "ConnectionError",
    "Could not connect",
    "Timeout",
    "ServiceError",
    "ProxyError",
    "not redirecting",
)
_SECONDS_TO_CONNECT = 5
_SECONDS_A_LOCK = 300
_SHOWN_CHARACTERS = 2_000


class AuditError(Exception):
    """pip-audit could not read a lock, or is not there."""


@dataclass(frozen=True)
class Findings:
    """What the database says of a lock.

    Attributes:
        vulnerable: a line for each vulnerability: package, version, its id, and the versions that mend it.
        unknown: packages that the database does not know.
        asked: how many packages it was asked about.
        unreachable: why it could not be asked; empty where it was.
    """

    vulnerable: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    asked: int = 0
    unreachable: str = ""


def findings_of(status: int, output: str, errors: str) -> Findings:
    """Read what pip-audit said.

    Args:
        status: with which it ended; it is 1 for vulnerabilities and for errors alike.
        output: its JSON, if it came so far.
        errors: its messages.

    Raises:
        AuditError: it failed for another reason than its database.
    """
    try:
        dependencies = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = errors.strip().splitlines()[-1:] or [f"pip-audit ended with status {status} and said nothing"]
        if any(word in errors for word in _UNREACHABLE):
            return Findings(unreachable=last[0][:_SHOWN_CHARACTERS])
        raise AuditError(errors[-_SHOWN_CHARACTERS:] or last[0]) from None
    return Findings(
        vulnerable=tuple(
            f"{one['name']} {one['version']}: {found['id']}, mended by "
            f"{', '.join(found['fix_versions']) or 'no version yet'}"
            for one in dependencies
            for found in one.get("vulns", ())
        ),
        unknown=tuple(one["name"] for one in dependencies if "skip_reason" in one),
        asked=len(dependencies),
    )


def audit(command: Sequence[str], lock: Path) -> Findings:
    """Ask about a lock.

    Args:
        command: pip-audit.
        lock: what to ask about; its hashes are complete, so that nothing is resolved or downloaded.

    Raises:
        AuditError: pip-audit is not there, or failed for another reason than its database.
    """
    options = ["--format", "json", "--progress-spinner", "off", "--timeout", str(_SECONDS_TO_CONNECT)]
    try:
        done = subprocess.run(
            [*command, *options, "--disable-pip", "--require-hashes", "-r", str(lock)],
            capture_output=True,
            text=True,
            timeout=_SECONDS_A_LOCK,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Findings(unreachable=f"no answer within {_SECONDS_A_LOCK} s")
    except OSError as error:
        raise AuditError(f"{command[0]} can't be run ({error.strerror}); run make setup") from error
    return findings_of(done.returncode, done.stdout, done.stderr)


def main(command: Sequence[str], locks: Sequence[Path] = TARGETS) -> int:
    """Ask about each lock; return the status to end with."""
    is_vulnerable = False
    for lock in locks:
        try:
            findings = audit(command, lock)
        except AuditError as error:
            print(f"audit: {lock.name} can't be audited: {error}", file=sys.stderr)
            return 1
        if findings.unreachable or len(findings.unknown) == findings.asked:
            reason = findings.unreachable or f"it knows none of the {findings.asked} packages of {lock.name}"
            print(f"audit: NOT DONE, the database of vulnerabilities can't be asked here: {reason}")
            break
        for line in findings.vulnerable:
            print(f"audit: {lock.name}: {line}")
        is_vulnerable = is_vulnerable or bool(findings.vulnerable)
        unknown = f", unknown to the database: {', '.join(findings.unknown)}" if findings.unknown else ""
        print(f"audit: {lock.name}: {findings.asked} packages, {len(findings.vulnerable)} findings{unknown}")
    return int(is_vulnerable)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or [str(Path(sys.executable).with_name("pip-audit"))]))
