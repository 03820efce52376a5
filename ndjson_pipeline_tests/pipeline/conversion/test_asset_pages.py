"""What the pages of assets say of themselves."""

from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.utils import is_valid_owner

from ndjson_pipeline.assets import feed_assets, merged_parquet
from ndjson_pipeline.conversion.asset_pages import CODE_REFERENCES, RUNBOOK, RUNBOOK_FILE, AssetPages
from ndjson_pipeline.deployment.feed import Feed
from ndjson_pipeline.deployment.partitions import daily_partitions
from ndjson_pipeline.deployment.settings import PipelineSettings
from ndjson_pipeline.errors import SettingsError

DEPLOYED = PipelineSettings.from_environment(
    {
        "NDJSON_FEED": "orders",
        "ASSET_OWNERS": "data@example.com, team:platform",
        "CODE_URL": "https://github.com/acme/ndjson/blob/v3/",
    }
)


def specs(settings: PipelineSettings) -> dict[str, dg.AssetSpec]:
    raw, manifests, parquet = feed_assets(
        Feed(settings.feed), daily_partitions(settings.partition_start_date), settings
    )
    (spec,) = parquet.specs
    return {each.key.path[-1]: each for each in (raw, manifests, spec)}


def test_each_asset_has_owners_and_links_and_says_first_what_the_data_is() -> None:
    found = specs(DEPLOYED)
    for spec in found.values():
        assert list(spec.owners) == ["data@example.com", "team:platform"]
        (reference,) = spec.metadata[CODE_REFERENCES].code_references
        assert reference.url.startswith("https://github.com/acme/ndjson/blob/v3/")
        assert spec.metadata[RUNBOOK].url == "https://github.com/acme/ndjson/blob/v3/docs/operations.md"
    first_lines = [(spec.description or "").splitlines()[0] for spec in found.values()]
    assert first_lines == [
        "The records as their producers send them: NDJSON files in the input bucket, one after the other.",
        "The batches of input files, each a JSON object in S3 that is committed once and never changes.",
        "All records of a UTC date as Parquet, one row a record, in one folder a date.",
    ]
    assert found["merged_parquet"].metadata["dagster/table_name"] == (
        "ndjson_orders_parquet_dev.merged_parquet"
    )


def test_links_to_code_lead_to_the_line_that_begins_the_asset() -> None:
    (reference,) = AssetPages(DEPLOYED).metadata(merged_parquet)[CODE_REFERENCES].code_references
    name, _, line = reference.url.rpartition("/v3/")[2].partition("#L")
    root = Path(__file__).resolve().parents[3]
    assert (root / name).read_text().splitlines()[int(line) - 1].startswith("def merged_parquet(")
    for spec in specs(DEPLOYED).values():
        (reference,) = spec.metadata[CODE_REFERENCES].code_references
        assert (root / reference.label).is_file()


def test_a_runbook_of_ones_own_goes_before_the_projects(tmp_path: Path) -> None:
    own = replace(DEPLOYED, runbook_url="https://wiki.example.com/ndjson", code_url=None)
    assert AssetPages(own, tmp_path).metadata("a.py")[RUNBOOK].url == "https://wiki.example.com/ndjson"


def test_without_an_address_a_checkout_leads_to_its_files_and_an_image_nowhere(tmp_path: Path) -> None:
    plain = PipelineSettings()
    assert AssetPages(plain, tmp_path).metadata("a.py") == {}
    (tmp_path / RUNBOOK_FILE).parent.mkdir()
    (tmp_path / RUNBOOK_FILE).touch()
    found = AssetPages(plain, tmp_path).metadata("a.py")
    (reference,) = found[CODE_REFERENCES].code_references
    assert reference.file_path == str(tmp_path / "a.py")
    assert found[RUNBOOK].path == str(tmp_path / RUNBOOK_FILE)
    assert AssetPages(plain, tmp_path).owners == []


@pytest.mark.parametrize(
    "owner",
    ["a@b.co", "a.b+c@d-e.example.com", "team:x", "team:a b", "team:", "ann", "a@b", "a@b.toolongend"],
)
def test_an_owner_is_what_dagster_takes_for_one(owner: str) -> None:
    if is_valid_owner(owner):
        assert PipelineSettings.from_environment({"ASSET_OWNERS": owner}).asset_owners == (owner,)
    else:
        with pytest.raises(SettingsError, match="ASSET_OWNERS must be a list such as"):
            PipelineSettings.from_environment({"ASSET_OWNERS": owner})


@pytest.mark.parametrize("name", ["CODE_URL", "RUNBOOK_URL", "NDJSON_DAGSTER_URL"])
def test_what_is_no_address_is_named_with_an_example(name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} must be an address such as https://.*got 'docs/x'"):
        PipelineSettings.from_environment({name: "docs/x"})
