"""What a service is told by its environment, read once and checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lambda_ingest.contract.settings import SettingsReader
from ndjson_pipeline.errors import SettingsError

HOME_VARIABLE = "DAGSTER_HOME"
CODE_SERVERS_VARIABLE = "NDJSON_CODE_SERVERS"
_EXPECTED = "a list such as ndjson_pipeline=code.internal:4000,clicks=clicks.internal:4000"
_LOCATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")


@dataclass(frozen=True)
class CodeServer:
    """A code server, as daemon and UI find it.

    Attributes:
        location: what Dagster calls the code location.
        host: where it answers.
        port: where it answers.
    """

    location: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `location=host:port`.

        Raises:
            ValueError: it has another shape.
        """
        location, equals, address = text.partition("=")
        host, colon, port = address.rpartition(":")
        if not (equals and colon and _LOCATION.fullmatch(location) and _HOST.fullmatch(host)):
            raise ValueError(f"{text!r} is no location=host:port")
        if not (port.isascii() and port.isdigit() and 0 < int(port) <= 65_535):
            raise ValueError(f"{port!r} is no port")
        return cls(location, host, int(port))


def home_of(variables: Mapping[str, str]) -> Path:
    """Return the folder that a service lays its settings into.

    Raises:
        SettingsError: none is named, or by a relative path.
    """
    text = SettingsReader(variables).text(HOME_VARIABLE)
    if text is None or not Path(text).is_absolute():
        raise SettingsError(
            f"{HOME_VARIABLE} must be the absolute path of a folder that can be written, got {text!r}."
        )
    return Path(text)


def code_servers_of(variables: Mapping[str, str]) -> tuple[CodeServer, ...]:
    """Return the code servers that daemon and UI are to know.

    Raises:
        SettingsError: there is none, or the list makes no sense.
    """
    reader = SettingsReader(variables)
    reader.required(CODE_SERVERS_VARIABLE)
    servers: tuple[CodeServer, ...] = reader.list_of(CODE_SERVERS_VARIABLE, (), CodeServer.parse, _EXPECTED)
    names = [server.location for server in servers]
    if len(set(names)) < len(names):
        reader.problems.append(f"{CODE_SERVERS_VARIABLE} names a location twice: {', '.join(names)}")
    if reader.problems:
        raise SettingsError("Environment variables need mending: " + "; ".join(reader.problems) + ".")
    return servers
