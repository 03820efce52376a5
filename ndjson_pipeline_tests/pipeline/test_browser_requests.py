"""Which requests are a foreign page's."""

import pytest

from ndjson_pipeline.browser_requests import Own, foreign_reason, origin_of, shown

OWN = Own.of(3000, ["https://dagster.example.com/a/path"])
PROGRAM = {"host": ["127.0.0.1:3000"]}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": ["http://127.0.0.1:3000"]},
        {"origin": ["http://localhost:3000"], "host": ["localhost:3000"]},
        {"origin": ["http://[::1]:3000"], "host": ["[::1]:3000"]},
        {"origin": ["HTTP://LOCALHOST:3000"], "host": ["LocalHost:3000"]},
        {"origin": ["https://dagster.example.com"], "host": ["dagster.example.com"]},
        {"sec-fetch-site": ["same-origin"]},
        {"sec-fetch-site": ["none"]},
    ],
    ids=str,
)
def test_programs_and_own_pages_are_let_in(headers: dict[str, list[str]]) -> None:
    assert foreign_reason({**PROGRAM, **headers}, OWN) is None


@pytest.mark.parametrize(
    ("header", "values"),
    [
        ("origin", ["https://evil.example"]),
        ("origin", ["null"]),
        ("origin", [""]),
        ("origin", ["http://127.0.0.1"]),
        ("origin", ["http://127.0.0.1:3001"]),
        ("origin", ["https://127.0.0.1:3000"]),
        ("origin", ["http://127.0.0.1:3000.evil.example"]),
        ("origin", ["http://127.0.0.1:3000@evil.example"]),
        ("origin", ["http://dagster.example.com"]),
        ("origin", ["http://127.0.0.1:3000", "https://evil.example"]),
        ("origin", ["http://127.0.0.1:3000,https://evil.example"]),
        ("sec-fetch-site", ["cross-site"]),
        ("sec-fetch-site", ["same-site"]),
        ("sec-fetch-site", ["something-new"]),
        ("sec-fetch-site", ["same-origin", "cross-site"]),
        ("host", []),
        ("host", [""]),
        ("host", ["127.0.0.1"]),
        ("host", ["127.0.0.1:3001"]),
        ("host", ["evil.example:3000"]),
        ("host", ["127.0.0.1:3000.evil.example"]),
        ("host", ["127.0.0.1.nip.io:3000"]),
        ("host", ["0.0.0.0:3000"]),
        ("host", ["localhost.:3000"]),
        ("host", ["bucket.localhost:3000"]),
        ("host", ["127.0.0.1:3000", "evil.example"]),
    ],
    ids=str,
)
def test_what_a_foreign_page_sends_is_told_with_what_was_expected(header: str, values: list[str]) -> None:
    reason = foreign_reason({**PROGRAM, header: values}, OWN)
    assert reason is not None
    assert reason.lower().startswith(header)
    assert "must be" in reason


def test_a_header_is_told_back_in_short_and_in_ascii() -> None:
    reason = foreign_reason({"host": ["\x1b[31m\u202e" + "x" * 10_000]}, OWN)
    assert reason is not None
    assert reason.isascii()
    assert reason.isprintable()
    assert len(reason) < 400
    assert shown("plain") == "'plain'"


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://Dagster.Example.com", "https://dagster.example.com"),
        ("https://dagster.example.com:443/runs", "https://dagster.example.com"),
        ("http://10.0.0.1:3000/", "http://10.0.0.1:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
    ],
)
def test_an_address_has_the_origin_that_browsers_write(address: str, origin: str) -> None:
    assert origin_of(address) == origin


@pytest.mark.parametrize(
    "address",
    ["", "*", "null", "dagster.example.com", "file:///etc", "https://", "https://u@host", "http://h:x"],
)
def test_what_is_no_address_is_no_origin(address: str) -> None:
    with pytest.raises(ValueError, match=r"address|[Pp]ort"):
        origin_of(address)
