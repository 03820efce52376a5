"""Which requests a web page of somebody else may have sent; it reaches what listens on this machine.

A page cannot forge three headers: `Origin` and `Sec-Fetch-Site` are set by the browser
(https://fetch.spec.whatwg.org/#forbidden-header-name, https://www.w3.org/TR/fetch-metadata/), and `Host` is
the name by which the page was reached, which is a foreign one where a foreign name was bound to this
machine's address. Programs send neither of the first two.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
# `none` is what a person typed or chose from the bookmarks.
_OWN_SITES = frozenset({"same-origin", "none"})
# How much of a header is told back.
_SHOWN_CHARACTERS = 100


@dataclass(frozen=True)
class Own:
    """What a server calls its own.

    Attributes:
        hosts: values of `Host`, in small letters, such as `127.0.0.1:3000`.
        origins: values of `Origin`, in small letters, such as `http://127.0.0.1:3000`.
    """

    hosts: frozenset[str]
    origins: frozenset[str]

    @classmethod
    def of(cls, port: int, origins: Iterable[str] = ()) -> "Own":
        """Return what is own to a server on this machine.

        Args:
            port: the one that it listens on; this machine's names for itself are its own.
            origins: by which others it is reached, such as `https://dagster.example.com`.

        Raises:
            ValueError: one of them is no origin.
        """
        loopback = {_authority("http", name, port) for name in _LOOPBACK_NAMES}
        others = {origin_of(origin) for origin in origins}
        return cls(
            hosts=frozenset(loopback | {origin.partition("://")[2] for origin in others}),
            origins=frozenset({f"http://{host}" for host in loopback} | others),
        )


def origin_of(address: str) -> str:
    """Return the origin of an address as browsers write it: `https://dagster.example.com`.

    Args:
        address: an address of http or https; what follows its host is left out.

    Raises:
        ValueError: it has no such scheme, or no host.
    """
    parts = urlsplit(address.strip().lower())
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        raise ValueError(f"{shown(address)} is no address such as https://dagster.example.com")
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{_authority(parts.scheme, name, parts.port)}"


def foreign_reason(headers: Mapping[str, list[str]], own: Own) -> str | None:
    """Tell why a request may be a foreign page's; None where it is not.

    Args:
        headers: each header's values by its name in small letters; only the three are looked at.
        own: what the server calls its own.
    """
    return host_reason(headers, own) or origin_reason(headers, own) or site_reason(headers)


def host_reason(headers: Mapping[str, list[str]], own: Own) -> str | None:
    """Tell what is wrong with `Host`: there must be one, and it must be own."""
    hosts = headers.get("host", [])
    if len(hosts) == 1 and hosts[0].strip().lower() in own.hosts:
        return None
    return f"Host is {shown(', '.join(hosts))}, and must be one of {', '.join(sorted(own.hosts))}"


def origin_reason(headers: Mapping[str, list[str]], own: Own) -> str | None:
    """Tell what is wrong with `Origin`: where there is one, it must be own; `null` is nobody's."""
    foreign = [value for value in headers.get("origin", []) if value.strip().lower() not in own.origins]
    if not foreign:
        return None
    return f"Origin is {shown(foreign[0])}, and must be one of {', '.join(sorted(own.origins))}"


def site_reason(headers: Mapping[str, list[str]]) -> str | None:
    """Tell what is wrong with `Sec-Fetch-Site`: where there is one, it must be same-origin or none."""
    foreign = [
        value for value in headers.get("sec-fetch-site", []) if value.strip().lower() not in _OWN_SITES
    ]
    if not foreign:
        return None
    return f"Sec-Fetch-Site is {shown(foreign[0])}, and must be same-origin or none"


def shown(text: str) -> str:
    """Return a header's text as it may be told back: quoted, in ASCII, and not too long."""
    return ascii(text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}...")


def _authority(scheme: str, name: str, port: int | None) -> str:
    return name if port in (None, _DEFAULT_PORTS[scheme]) else f"{name}:{port}"
