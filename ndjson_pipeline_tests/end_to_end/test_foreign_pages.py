"""What a web page of somebody else can do to the servers of a laptop: the real ones, and a real browser."""

import http.client
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Page

from ndjson_pipeline.cli.dev import free_port
from ndjson_pipeline.deployment.packaging import installed_glue_package
from ndjson_pipeline.local_aws import LocalAwsProcess, LocalAwsSettings
from ndjson_pipeline_tests.browser import browser
from ndjson_pipeline_tests.end_to_end.processes import await_true
from ndjson_pipeline_tests.patience import PATIENCE

pytestmark = [pytest.mark.daemon, pytest.mark.timeout(120)]

DAGSTERS_OWN, GUARDED = "dagster_webserver", "ndjson_pipeline.webserver"
SCRIPT_KEY = installed_glue_package().script.key
JSON = {"Content-Type": "application/json"}
LIMITS = "{ instance { concurrencyLimits { concurrencyKey } } }"


def mutation(key: str) -> str:
    """Return a mutation that leaves a trace of its name."""
    return f'mutation {{ setConcurrencyLimit(concurrencyKey: "{key}", limit: 1) }}'


@dataclass(frozen=True)
class Ui:
    """A web server without a code location."""

    host: str

    def ask(self, method: str, path: str, headers: dict[str, str], body: str = "") -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.host, timeout=30 * PATIENCE)
        connection.request(method, path, body.encode(), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def limits(self) -> set[str]:
        """Return the names of the mutations that were executed."""
        status, text = self.ask("POST", "/graphql", JSON, json.dumps({"query": LIMITS}))
        assert status == 200, text
        return {
            limit["concurrencyKey"] for limit in json.loads(text)["data"]["instance"]["concurrencyLimits"]
        }


@contextmanager
def web_server(module: str, home: Path) -> Iterator[Ui]:
    home.mkdir()
    port = free_port(0, "--port")
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, "--empty-workspace", "-h", "127.0.0.1", "-p", str(port)],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={
                **os.environ,
                "DAGSTER_HOME": str(home),
                "NDJSON_DAGSTER_URL": "https://dagster.example.com",
            },
            cwd=home,
        )
    ui = Ui(f"127.0.0.1:{port}")

    def answers() -> bool:
        assert process.poll() is None, (home / "log").read_text()
        try:
            return ui.ask("GET", "/server_info", {})[0] == 200
        except OSError:
            return False

    try:
        await_true(answers, 60)
        yield ui
    finally:
        process.terminate()
        process.wait(20 * PATIENCE)


@pytest.fixture(scope="module")
def ui(scratch: Path) -> Iterator[Ui]:
    with web_server(GUARDED, scratch / "guarded") as started:
        yield started


def attacks(ui: Ui) -> dict[str, tuple[str, str, dict[str, str], str]]:
    """Return what a page can send without asking first, each with a mutation of its own name."""
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    plain = {**foreign, "Content-Type": "text/plain"}
    address = "/graphql?query=" + quote(mutation("NAME"))

    def by(name: str) -> str:
        return address.replace("NAME", name)

    return {
        "get": ("GET", by("get"), {"Sec-Fetch-Site": "cross-site"}, ""),
        "old_browser_get": ("GET", by("old_browser_get"), {}, ""),
        "text": ("POST", by("text"), plain, "x"),
        "old_browser_text": ("POST", by("old_browser_text"), {"Content-Type": "text/plain"}, "x"),
        "null": ("POST", by("null"), {**plain, "Origin": "null"}, "x"),
        "same_site": ("POST", by("same_site"), {"Sec-Fetch-Site": "same-site"}, "x"),
        "other_port": ("POST", by("other_port"), {**plain, "Origin": "http://127.0.0.1:1"}, "x"),
        "disguised": (
            *("POST", "/graphql"),
            {"Content-Type": "text/plain; application/json"},
            json.dumps({"query": mutation("disguised")}),
        ),
        "rebound": (
            *("POST", "/graphql"),
            {
                **JSON,
                "Host": "evil.example",
                "Origin": "http://evil.example",
                "Sec-Fetch-Site": "same-origin",
            },
            json.dumps({"query": mutation("rebound")}),
        ),
    }


def test_dagsters_own_server_does_all_that_any_page_wants(scratch: Path) -> None:
    """Once it does not, the check may go; until then this shows that the attacks of this file are some."""
    with web_server(DAGSTERS_OWN, scratch / "own") as own:
        for name, attack in attacks(own).items():
            assert own.ask(*attack)[0] == 200, name
        assert own.limits() == set(attacks(own))


def test_a_foreign_page_executes_nothing(ui: Ui) -> None:
    for name, attack in attacks(ui).items():
        status, text = ui.ask(*attack)
        assert status == 403, name
        assert text.startswith("Refused by the Dagster UI: ")
    assert ui.limits() & set(attacks(ui)) == set()


def test_people_programs_and_load_balancers_are_answered(ui: Ui) -> None:
    own = {"Origin": f"http://{ui.host}", "Sec-Fetch-Site": "same-origin"}
    published = {"Host": "dagster.example.com", "Origin": "https://dagster.example.com"}
    for name, headers in {"program": {}, "own_page": own, "published": published}.items():
        body = json.dumps({"query": mutation(name)})
        assert ui.ask("POST", "/graphql", {**JSON, **headers}, body)[0] == 200
    assert ui.limits() >= {"program", "own_page", "published"}
    assert ui.ask("GET", "/server_info", {"Host": "10.0.3.7:3000"})[0] == 200
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    status, text = ui.ask("GET", "/runs", link)
    assert status == 200
    assert "<html" in text


def opened_socket(ui: Ui, origin: str) -> int:
    """Return the status with which a websocket's opening is answered."""
    headers = {
        **{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"},
        **{"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "graphql-ws"},
        "Origin": origin,
    }
    connection = http.client.HTTPConnection(ui.host, timeout=30 * PATIENCE)
    connection.request("GET", "/graphql", headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_socket_opens_for_own_pages_alone(ui: Ui) -> None:
    assert opened_socket(ui, f"http://{ui.host}") == 101
    assert opened_socket(ui, "https://evil.example") == 403


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as started:
        yield started.new_page()


@pytest.fixture(scope="module")
def aws(page: Page, scratch: Path) -> Iterator[LocalAwsProcess]:
    settings = LocalAwsSettings(queue_enabled=False, timer_enabled=False)
    with LocalAwsProcess(directory=scratch / "aws", settings=settings) as started:
        yield started


@contextmanager
def somebodys_site(html: str) -> Iterator[str]:
    """Serve a page; yields its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}/"
        server.shutdown()


# Each promise is settled once the browser has the server's answer, which a foreign page may not read.
HOSTILE_PAGE = """
<script>
const text = {method: "POST", mode: "no-cors", headers: {"Content-Type": "text/plain"}, body: "x"};
function form(action, fields) {
  const frame = document.createElement("iframe"), form = document.createElement("form");
  frame.name = "frame" + Math.random();
  Object.assign(form, {action, method: "POST", enctype: "multipart/form-data", target: frame.name});
  for (const [name, value] of Object.entries(fields)) {
    form.append(Object.assign(document.createElement("input"), {name, value}));
  }
  document.body.append(frame, form);
  return new Promise(done => { frame.onload = () => done("loaded"); form.submit(); });
}
function image(src) {
  return new Promise(done => {
    Object.assign(new Image(), {src, onload: () => done("loaded"), onerror: () => done("refused")});
  });
}
function socket(address) {
  return new Promise(done => {
    const opened = new WebSocket(address, "graphql-ws");
    opened.onopen = () => done("opened");
    opened.onerror = () => done("refused");
  });
}
async function attack() {
  const answered = [
    form(AWS + "/" + BUCKET, {key: KEY, file: "import os"}),
    form(AWS + "/moto-api/reset", {}),
    fetch(AWS + "/moto-api/reset", text),
    fetch(AWS + "/?Action=CreateQueue&QueueName=foreign&Version=2012-11-05", text),
    form(UI + "/graphql?query=" + encodeURIComponent(MUTATION("form")), {}),
    fetch(UI + "/graphql?query=" + encodeURIComponent(MUTATION("fetch")), text),
    image(UI + "/graphql?query=" + encodeURIComponent(MUTATION("image"))),
    fetch(UI + "/report_asset_materialization/foreign", {method: "POST", mode: "no-cors"}),
  ];
  await Promise.all(answered);
  return await socket(UI.replace("http", "ws") + "/graphql");
}
</script>
<body></body>
"""


def test_a_page_that_somebody_visits_changes_nothing(page: Page, aws: LocalAwsProcess, ui: Ui) -> None:
    s3, bucket = aws.client("s3"), aws.names.scripts_bucket
    before = s3.get_object(Bucket=bucket, Key=SCRIPT_KEY)["Body"].read()
    limits = ui.limits()
    told = aws.log_path.read_text().count("refused")
    facts = {"AWS": aws.endpoint_url, "BUCKET": bucket, "KEY": SCRIPT_KEY, "UI": f"http://{ui.host}"}
    constants = "".join(f"const {name} = {json.dumps(value)};" for name, value in facts.items())
    constants += f"const MUTATION = name => {json.dumps(mutation('NAME'))}.replace('NAME', name);"
    with somebodys_site(f"<script>{constants}</script>{HOSTILE_PAGE}") as address:
        page.goto(address)
        assert urlsplit(page.url).hostname == "localhost"
        assert page.evaluate("attack()") == "refused"
    assert s3.get_object(Bucket=bucket, Key=SCRIPT_KEY)["Body"].read() == before
    assert aws.client("sqs").list_queues(QueueNamePrefix="foreign").get("QueueUrls", []) == []
    assert ui.limits() == limits
    # All four of them came, and not only those that the browser lets through.
    assert aws.log_path.read_text().count("refused") - told >= 4
