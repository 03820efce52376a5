"""`schema`: columns shown, compared, changed; and dates that follow a change, whatever is in the way."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import boto3
import dagster as dg
import pytest
from dagster_pipes import PipesContext

from glue_jobs.schema.change import Author, set_type
from glue_jobs.schema.contract import SchemaContract
from glue_jobs.schema.types import INT64, STRING, struct_of
from ndjson_pipeline.cli.output import WIDTH
from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.dagster_api import DagsterApi, DagsterUnreachableError
from ndjson_pipeline.desk.schema.change import SchemaAction, changed_by
from ndjson_pipeline_tests.pipeline.asset_runner import Runner
from ndjson_pipeline_tests.pipeline.cli.conftest import Busy, Cli, Deny, errors_of
from ndjson_pipeline_tests.pipeline.harness import NOW, ManifestTable, day
from ndjson_pipeline_tests.pipeline.test_rebuild_job import Dataset

pytestmark = pytest.mark.usefixtures("deployment", "emptied")

AUTHOR = Author("somebody\x1b[31m", "because\u202e", NOW)
HOSTILE = "a\x1b]0;owned\x07\u202ename"
LOOKING = [["schema", "show"], ["schema", "history"], ["schema", "diff"]]
CHANGING = [["schema", "set", "amount", "decimal(12,2)"], ["schema", "rebuild"]]


def name_of(arguments: list[str]) -> str:
    return " ".join(arguments)


def lay(deployment: Deployment, contract: SchemaContract) -> None:
    """Lay a contract down as the job writes it."""
    deployment.s3.put_object(
        Bucket=deployment.names.manifest_bucket,
        Key=f"schemas/{deployment.names.output_bucket}/schema.json",
        Body=contract.to_json(),
    )


def laid(deployment: Deployment) -> dict[str, Any]:
    key = f"schemas/{deployment.names.output_bucket}/schema.json"
    answer = deployment.s3.get_object(Bucket=deployment.names.manifest_bucket, Key=key)
    found: dict[str, Any] = json.loads(answer["Body"].read())
    return found


def some_contract() -> SchemaContract:
    """Return a contract of three versions, with names that are hostile to a terminal."""
    types = {"amount": INT64, HOSTILE: STRING, "user": struct_of({"name": STRING, "x" * 300: STRING})}
    contract = SchemaContract().extended(types, True, ["s3://m/1", "s3://m/2"], NOW, "jr_1")
    contract = set_type(contract, "amount", "decimal(12,2)", AUTHOR)
    return changed_by(contract, "debug", SchemaAction.KEEP_OUT, None, AUTHOR)


def lay_file(deployment: Deployment, date: str, generation: int) -> None:
    deployment.s3.put_object(
        Bucket=deployment.names.output_bucket,
        Key=f"merged-parquet-{date}/part-000001-1f0c2a9b-0000.snappy.parquet",
        Body=b"x" * 1000,
        Metadata={"schema-generation": str(generation)},
    )


class Dagster:
    """Dagster's API: backfills that do nothing, or do what the daemon would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.launched: list[tuple[list[str], Mapping[str, str]]] = []
        self.convert: Callable[[str], None] = lambda _date: None
        self.is_gone = False
        self.looks = 0
        monkeypatch.setattr(DagsterApi, "version", lambda _api: self._answer("1"))
        monkeypatch.setattr(DagsterApi, "backfill", self._backfill)
        monkeypatch.setattr(DagsterApi, "ask", self._ask)
        monkeypatch.setattr("ndjson_pipeline.cli.schema_setting.sleep", lambda _seconds: None)

    def _answer(self, answer: Any) -> Any:
        if self.is_gone:
            raise DagsterUnreachableError("Dagster's UI does not answer at http://nowhere")
        return answer

    def _backfill(self, *arguments: Any) -> str:
        _, _, dates, tags, _ = (None, *arguments) if len(arguments) == 4 else arguments
        self._answer(None)
        self.launched.append((dates, tags))
        return f"backfill-{len(self.launched)}"

    def _ask(self, *arguments: Any) -> Any:
        self._answer(None)
        variables = arguments[-1]
        if "id" not in variables:
            going = [
                {"id": f"backfill-{len(self.launched)}", "tags": [{"key": key, "value": value}]}
                for _, tags in self.launched[-1:]
                for key, value in tags.items()
                if not self.looks
            ]
            return {"partitionBackfillsOrError": {"results": going}}
        dates = self.launched[int(variables["id"].rpartition("-")[2]) - 1][0]
        self.looks += 1
        if self.looks % 2:
            return {"partitionBackfillOrError": {"status": "REQUESTED", "assetBackfillData": None}}
        for date in dates:
            self.convert(date)
        counts = {
            "numPartitionsTargeted": len(dates),
            "numPartitionsInProgress": 0,
            "numPartitionsMaterialized": len(dates),
            "numPartitionsFailed": 0,
        }
        found = {"status": "COMPLETED_SUCCESS", "error": None}
        return {
            "partitionBackfillOrError": {**found, "assetBackfillData": {"assetBackfillStatuses": [counts]}}
        }


@pytest.fixture
def dagster(monkeypatch: pytest.MonkeyPatch) -> Dagster:
    return Dagster(monkeypatch)


@pytest.mark.parametrize("arguments", [*LOOKING, ["schema", "rebuild", "--yes"]], ids=name_of)
def test_an_empty_pipeline_says_that_there_is_nothing(cli: Cli, arguments: list[str]) -> None:
    shown = cli(*arguments)
    assert shown.code == 0
    assert "There is no" in shown.out or "nothing to do" in shown.out
    assert cli(*arguments, "--json").code == 0


@pytest.mark.parametrize("arguments", CHANGING, ids=name_of)
def test_without_a_terminal_and_a_yes_nothing_is_even_read(
    cli: Cli, deny: Deny, arguments: list[str]
) -> None:
    deny()
    assert cli(*arguments, "--json").document["error"]["exit_code"] == 2


@pytest.mark.parametrize("arguments", LOOKING, ids=name_of)
def test_a_busy_one_fits_the_terminal_and_shows_nothing_raw(
    cli: Cli, busy: Busy, arguments: list[str]
) -> None:
    lay(busy.deployment, some_contract())
    shown, told = cli(*arguments), cli("--json", *arguments)
    assert (shown.code, told.code) == (0, 0), shown
    assert shown.widest <= WIDTH
    for character in ("\x1b", "\u202e", "\x07"):
        assert character not in shown.out + told.out


@pytest.mark.parametrize("arguments", [*LOOKING, *([*one, "--yes"] for one in CHANGING)], ids=name_of)
@pytest.mark.parametrize("broken", ["denied", "absent", "silent"])
def test_a_broken_one_is_one_sentence(cli: Cli, deny: Deny, broken: str, arguments: list[str]) -> None:
    more = {"absent": ["--feed", "absent"], "silent": ["--endpoint-url", "http://127.0.0.1:9"]}.get(
        broken, []
    )
    if broken == "denied":
        deny()
    done = cli(*arguments, *more, "--json")
    assert done.code == 1
    said = {
        "denied": "these credentials may not use",
        "absent": "there is no",
        "silent": "nothing answers at",
    }
    assert said[broken] in done.document["error"]["message"]


@pytest.mark.parametrize("arguments", LOOKING, ids=name_of)
def test_what_is_no_contract_is_one_sentence(cli: Cli, deployment: Deployment, arguments: list[str]) -> None:
    key = f"schemas/{deployment.names.output_bucket}/schema.json"
    deployment.s3.put_object(Bucket=deployment.names.manifest_bucket, Key=key, Body=b'{"format": "\x1b[31m"}')
    done = cli(*arguments)
    assert done.code == 1
    assert "is no schema contract" in done.err
    assert len(errors_of(done)) == 1
    assert "\x1b" not in done.err


def test_columns_are_shown_with_what_brought_them_and_how_full_it_is(
    cli: Cli, deployment: Deployment
) -> None:
    lay(deployment, some_contract())
    found = cli("schema", "show", "--json").document
    assert (found["version"], found["generation"]) == (3, 1)
    (amount,) = [row for row in found["columns"] if row["path"] == "amount"]
    assert (amount["type"], amount["since_version"]) == ("decimal(12,2)", 1)
    assert amount["changed"] == "version 2: bigint to decimal(12,2)"
    assert found["waiting_hints"] == {"debug": "none"}
    assert (found["room"]["columns"], found["room"]["max_columns"]) == (4, 10_000)
    assert "more columns are not shown" in cli("schema", "show", "--limit", "1").out


def test_a_former_version_is_made_from_the_history_where_the_bucket_keeps_none(
    cli: Cli, deployment: Deployment
) -> None:
    lay(deployment, some_contract())
    found = cli("schema", "show", "--version", "1", "--json").document
    assert (found["is_taken_back"], found["newest_version"]) == (True, 3)
    assert [row["type"] for row in found["columns"] if row["path"] == "amount"] == ["bigint"]
    assert cli("schema", "show", "--version", "4").code == 1


def test_a_former_version_is_the_object_that_the_bucket_keeps(cli: Cli, deployment: Deployment) -> None:
    bucket, s3 = deployment.names.manifest_bucket, deployment.s3
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    try:
        contract = SchemaContract()
        for number in range(5):
            contract = contract.extended({**contract.types, f"c{number}": INT64}, False, [], NOW)
            lay(deployment, contract)
        found = cli("schema", "show", "--version", "2", "--json").document
        assert found["is_taken_back"] is False
        assert [row["path"] for row in found["columns"]][:-2] == ["c0", "c1"]
        (added,) = cli("schema", "diff", "2", "3", "--json").document["differences"]
        assert (added["what"], added["path"]) == ("added", "c2")
    finally:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
        for kept in s3.list_object_versions(Bucket=bucket).get("Versions", []):
            s3.delete_object(Bucket=bucket, Key=kept["Key"], VersionId=kept["VersionId"])


def test_differences_are_between_the_last_two_versions_or_any(cli: Cli, deployment: Deployment) -> None:
    lay(deployment, some_contract())
    last = cli("schema", "diff", "--json").document
    assert (last["from"], last["to"]) == (2, 3)
    assert last["differences"] == [{"what": "hint", "path": "debug", "before": None, "after": "none"}]
    changed = cli("schema", "diff", "1", "2", "--json").document["differences"][0]
    assert (changed["before"], changed["after"]) == ("bigint", "decimal(12,2)")
    assert cli("schema", "diff", "3", "3").out.startswith("from version 3 to version 3: nothing differs")
    assert cli("schema", "diff", "1", "9").code == 1


def test_history_tells_versions_and_the_dates_that_are_older(cli: Cli, deployment: Deployment) -> None:
    lay(deployment, some_contract())
    lay_file(deployment, day(-1), 0)
    lay_file(deployment, day(-2), 1)
    found = cli("schema", "history", "--json").document
    assert [entry["version"] for entry in found["versions"]] == [3, 2, 1]
    assert found["versions"][-1]["job_run_id"] == "jr_1"
    assert found["older_dates"] == {"dates": [day(-1)], "seen": 2, "go_on_before": None}
    assert "schema rebuild" in cli("schema", "history").out
    assert cli("schema", "history", "--no-dates", "--json").document["older_dates"] is None


def test_a_hint_before_the_first_file_is_written_and_rebuilds_nothing(
    cli: Cli, deployment: Deployment, dagster: Dagster
) -> None:
    dagster.is_gone = True
    done = cli("schema", "set", "at", "epoch ms", "--yes", "--by", "Ada", "--reason", "why not", "--json")
    assert (done.code, done.document["dates"]) == (0, [])
    found = laid(deployment)
    assert found["hints"] == {"at": "timestamp(ms)"}
    assert (found["history"][0]["by"], found["history"][0]["reason"]) == ("Ada", "why not")
    assert cli("schema", "show").out.count("timestamp(ms)") == 1
    assert "nothing to do" in cli("schema", "set", "at", "epoch ms", "--yes").out
    assert cli("schema", "set", "at", "--clear", "--yes").code == 0
    assert laid(deployment)["hints"] == {}


def test_a_dry_run_says_which_dates_and_how_much_and_changes_nothing(
    cli: Cli, deployment: Deployment, dagster: Dagster
) -> None:
    lay(deployment, some_contract())
    for offset in range(40):
        lay_file(deployment, day(-offset), 1)
    before = laid(deployment)
    found = cli("schema", "set", "amount", "double", "--dry-run", "--json").document["would"]
    assert [one["date"] for one in found["dates"]] == [day(-offset) for offset in range(40)]
    assert (found["dates"][0]["files"], found["dates"][0]["manifests"]) == (1, None)
    shown = cli("schema", "set", "amount", "double", "--dry-run").out
    assert "and 9 earlier dates" in shown
    assert "decimal(12,2) to double, and convert 40 dates again" in " ".join(shown.split())
    assert (laid(deployment), dagster.launched) == (before, [])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["amount"], 2),
        (["amount", "double", "--drop"], 2),
        (["amount", "--map", "--drop"], 2),
        (["amount", "double", "--reason", " "], 2),
        (["amount", "money"], 1),
        (["nothing", "--drop"], 1),
        ([f"{HOSTILE}x", "--drop"], 1),
        (["amount", "--map"], 1),
        (["user[", "json"], 1),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_one_line_and_changes_nothing(
    cli: Cli, deployment: Deployment, arguments: list[str], code: int
) -> None:
    lay(deployment, some_contract())
    before = laid(deployment)
    done = cli("schema", "set", *arguments, "--yes")
    assert (done.code, len(errors_of(done))) == (code, 1)
    assert "\x1b" not in done.err
    assert laid(deployment) == before


def test_without_dagster_the_change_stays_and_a_second_call_goes_on(
    cli: Cli, deployment: Deployment, dagster: Dagster
) -> None:
    lay(deployment, some_contract())
    lay_file(deployment, day(-1), 1)
    dagster.is_gone = True
    assert "Dagster does not answer now" in cli("schema", "set", "amount", "double", "--dry-run").out
    done = cli("schema", "set", "amount", "double", "--yes")
    assert done.code == 1
    assert "the contract is at version 4" in done.err
    assert "schema rebuild" in done.err
    assert laid(deployment)["generation"] == 2
    assert cli("schema", "history", "--json").document["older_dates"]["dates"] == [day(-1)]
    dagster.is_gone = False
    again = cli("schema", "set", "amount", "double", "--yes", "--json").document
    assert (again["change"], again["backfills"]) == (None, {"backfill-1": [day(-1)]})
    ((dates, tags),) = dagster.launched
    assert dates == [day(-1)]
    assert tags == {"dagster/priority": "-10", "ndjson/rebuild": "merged_parquet"}
    assert laid(deployment)["version"] == 4
    # One at a time: while it goes on, another call launches nothing.
    assert "still converting" in cli("schema", "rebuild", "--yes").out
    assert len(dagster.launched) == 1


def test_dates_that_stay_older_are_named_and_exit_with_3(
    cli: Cli, deployment: Deployment, dagster: Dagster
) -> None:
    lay(deployment, some_contract())
    for offset in (1, 2, 3):
        lay_file(deployment, day(-offset), 0)
    dagster.convert = lambda date: lay_file(deployment, date, 1) if date != day(-2) else None
    done = cli("schema", "rebuild", "--yes", "--wait", "--most-dates", "2", "--json")
    assert done.code == 3
    assert done.document["dates_left"] == [day(-2)]
    assert [dates for dates, _ in dagster.launched] == [[day(-1), day(-2)], [day(-3)]]
    passed = cli("schema", "rebuild", "--before", day(-2), "--yes")
    assert "nothing to do" in passed.out


def test_cents_that_came_later_are_found_and_set_right(
    cli: Cli,
    dagster: Dagster,
    runner: Runner,
    manifests: ManifestTable,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The whole way: whole amounts first, cents later, seen, set, rebuilt, and summed up."""
    dataset, date = Dataset(manifests, instance), day()
    glue: Any = dataset.pipeline._glue
    real = boto3.client("glue")

    class Glue:
        def get_job(self, **request: Any) -> Any:
            return real.get_job(**request)

        def get_job_run(self, **request: Any) -> Any:
            return glue.get_job_run(**request)

    monkeypatch.setattr(Desk, "glue", Glue())

    def convert(date_prefix: str) -> None:
        # Each run of the job is a process of its own; here, a new one begins with nothing said.
        monkeypatch.setattr(PipesContext, "_instance", None)
        dataset.run(date_prefix)

    dataset.put(date, 1, [1, 2, 3])
    convert(date)
    dataset.put(date, 2, [19.99, 0.01, 5])
    convert(date)
    found = cli("rescued", "--date", date, "--json").document
    assert (found["records"], found["records_rescued"], found["counted_by"]) == (6, 2, "reports")
    (column,) = found["columns"]
    assert (column["path"], column["reasons"]) == ("amount", {"not exact": 2})
    assert sorted(sample["value"] for sample in column["samples"]) == ["0.01", "19.99"]
    assert "schema set amount 'decimal(12,2)'" in column["next_step"]
    total = ["preview", "--date", date, "--sql", "SELECT sum(amount) FROM rows", "--json"]
    assert cli(*total).document["rows"] == [[11]]

    dagster.convert = convert
    done = cli("schema", "set", "amount", "decimal(12,2)", "--yes", "--wait", "--json")
    assert (done.code, done.document["dates_left"]) == (0, [])
    assert done.document["dates"] == [date]
    assert cli(*total).document["rows"] == [[31.0]]
    assert dataset.output(date)[0] == {"decimal128(12, 2)"}
    after = cli("rescued", "--date", date, "--json").document
    assert (after["records_rescued"], after["columns"]) == (0, [])
    assert "0 (0.00%)" in cli("rescued", "--date", date).out
