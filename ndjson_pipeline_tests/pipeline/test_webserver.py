"""The check before Dagster's UI; the real web server behind it is end_to_end/test_foreign_pages.py's."""

import asyncio
from typing import Any

import pytest

from ndjson_pipeline.browser_requests import Own
from ndjson_pipeline.errors import SettingsError
from ndjson_pipeline.laptop.dagster_dev import UnknownProcessError, guarded_command
from ndjson_pipeline.webserver import RefusesForeignPages, guarded, origins_of, refusal

OWN = Own.of(3000, ["https://dagster.example.com"])
HOST = {"host": "127.0.0.1:3000"}
JSON = {"content-type": "application/json"}
NAVIGATION = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-site": "cross-site"}
FOREIGN = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}


def scope(method: str, target: str, headers: dict[str, str], kind: str = "http") -> dict[str, Any]:
    path, _, query = target.partition("?")
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    found = {"type": kind, "path": path, "query_string": query.encode(), "headers": pairs}
    return {**found, "server": ("127.0.0.1", 3000), **({"method": method} if kind == "http" else {})}


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("POST", "/graphql", {**HOST, **JSON}),
        ("POST", "/graphql", {**HOST, "content-type": "application/json; charset=utf-8"}),
        (
            "POST",
            "/graphql",
            {**HOST, **JSON, "origin": "http://127.0.0.1:3000", "sec-fetch-site": "same-origin"},
        ),
        (
            "POST",
            "/graphql",
            {**JSON, "host": "dagster.example.com", "origin": "https://dagster.example.com"},
        ),
        ("GET", "/graphql", {**HOST, "sec-fetch-site": "none"}),
        ("GET", "/assets/merged_parquet?view=partitions", HOST),
        # A load balancer asks by the address of its target.
        ("GET", "/server_info", {"host": "10.0.3.7:3000"}),
        ("GET", "/prefix/server_info", {}),
        # The link of an alert, opened from a mail.
        ("GET", "/runs/b7a1", {**HOST, **NAVIGATION}),
        ("POST", "/report_asset_materialization/a", HOST),
    ],
)
def test_people_and_programs_are_let_in(method: str, target: str, headers: dict[str, str]) -> None:
    assert refusal(scope(method, target, headers), OWN) is None


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("POST", "/graphql", {**HOST, **JSON, **FOREIGN}),
        ("POST", "/graphql", {**HOST, **JSON, "origin": "null"}),
        ("POST", "/graphql?query=mutation", {**HOST, "content-type": "text/plain"}),
        ("POST", "/graphql?query=mutation", {**HOST, "content-type": "text/plain; application/json"}),
        ("POST", "/graphql?query=mutation", HOST),
        ("POST", "/graphql/?query=mutation", HOST),
        ("GET", "/graphql?query=mutation", HOST),
        ("HEAD", "/graphql?query=mutation", HOST),
        ("GET", "/prefix/graphql?query=mutation", HOST),
        ("GET", "/graphql?query=mutation", {**HOST, **NAVIGATION}),
        ("GET", "/graphql", {**HOST, **NAVIGATION}),
        ("GET", "/graphql", {**HOST, "sec-fetch-site": "same-site"}),
        ("OPTIONS", "/graphql", {**HOST, **FOREIGN, "access-control-request-method": "POST"}),
        ("POST", "/report_asset_materialization/a", {**HOST, **FOREIGN}),
        ("POST", "/runs", {**HOST, **NAVIGATION}),
        # Shown within a foreign page, for a click that means something else.
        ("GET", "/runs/b7a1", {**HOST, **NAVIGATION, "sec-fetch-dest": "iframe"}),
        # A name of somebody else's, bound to this machine.
        ("GET", "/", {"host": "evil.example:3000"}),
        ("GET", "/runs/b7a1", {**NAVIGATION, "host": "evil.example:3000"}),
        ("GET", "/logs/a/compute_logs/b.err", {"host": "evil.example:3000"}),
        ("GET", "/server_info", {"host": "evil.example:3000", "sec-fetch-site": "same-origin"}),
        ("GET", "/", {}),
    ],
)
def test_a_foreign_page_is_told_why_it_is_not(method: str, target: str, headers: dict[str, str]) -> None:
    assert refusal(scope(method, target, headers), OWN)


def test_a_socket_is_for_own_pages() -> None:
    assert (
        refusal(scope("", "/graphql", {**HOST, "origin": "http://127.0.0.1:3000"}, "websocket"), OWN) is None
    )
    assert refusal(scope("", "/graphql", HOST, "websocket"), OWN) is None
    assert refusal(scope("", "/graphql", {**HOST, "origin": "https://evil.example"}, "websocket"), OWN)
    assert refusal(scope("", "/graphql", {"host": "evil.example"}, "websocket"), OWN)


def test_two_headers_of_a_name_are_not_one() -> None:
    asked = scope("POST", "/graphql", {**HOST, **JSON})
    asked["headers"].append((b"Host", b"evil.example"))
    assert refusal(asked, OWN)


def sent_by(application: Any, asked: dict[str, Any]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        raise AssertionError("nothing of a refused request is read")

    asyncio.run(application(asked, receive, send))
    return sent


async def answering(asked: Any, _receive: Any, send: Any) -> None:
    await send({"type": "answered", "scope": asked["type"]})


def test_what_is_refused_never_reaches_the_application() -> None:
    application = guarded(lambda: answering, frozenset())()
    assert isinstance(application, RefusesForeignPages)
    start, body = sent_by(application, scope("GET", "/graphql?query=mutation", HOST))
    assert start["status"] == 403
    assert (b"connection", b"close") in start["headers"]
    assert body["body"].startswith(b"Refused by the Dagster UI: ")
    (closed,) = sent_by(application, scope("", "/graphql", {**HOST, **FOREIGN}, "websocket"))
    assert (closed["type"], closed["code"]) == ("websocket.close", 1008)


def test_what_is_let_in_reaches_it() -> None:
    application = guarded(lambda: answering, frozenset())()
    for asked in (
        scope("POST", "/graphql", {**HOST, **JSON}),
        scope("", "/graphql", HOST, "websocket"),
        {"type": "lifespan"},
    ):
        assert sent_by(application, asked) == [{"type": "answered", "scope": asked["type"]}]


def test_origins_come_from_the_address_in_alerts_and_from_a_setting() -> None:
    assert origins_of({}) == origins_of({"NDJSON_DAGSTER_URL": "", "NDJSON_DAGSTER_ORIGINS": " , "}) == set()
    assert origins_of(
        {
            "NDJSON_DAGSTER_URL": "https://dagster.example.com/prefix",
            "NDJSON_DAGSTER_ORIGINS": "http://dagster.internal:3000, https://other.example.com",
        }
    ) == {"https://dagster.example.com", "http://dagster.internal:3000", "https://other.example.com"}


@pytest.mark.parametrize("text", ["*", "dagster.example.com", "https://a.example,null"])
def test_an_origin_that_is_none_is_one_clear_error(text: str) -> None:
    with pytest.raises(SettingsError, match="NDJSON_DAGSTER_ORIGINS needs mending"):
        origins_of({"NDJSON_DAGSTER_ORIGINS": text})


def test_dagster_dev_starts_the_server_that_checks_and_nothing_unknown() -> None:
    assert guarded_command(["python", "-m", "dagster_webserver", "--port", "1"]) == [
        *("python", "-m", "ndjson_pipeline.webserver", "--port", "1")
    ]
    daemon = ["python", "-m", "dagster._daemon", "run"]
    assert guarded_command(daemon) == daemon
    with pytest.raises(UnknownProcessError, match=r"other\.webserver"):
        guarded_command(["python", "-m", "other.webserver"])
