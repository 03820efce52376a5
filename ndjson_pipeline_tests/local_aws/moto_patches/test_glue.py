"""Glue's Data Catalog put right: each test fails where its patch is missing."""

import pytest
from botocore.exceptions import ClientError

from ndjson_pipeline_tests.local_aws.moto_patches.conftest import at_once, code


@pytest.fixture
def table(aws):
    glue = aws.client("glue")
    glue.create_database(DatabaseInput={"Name": "patches"})
    glue.create_table(DatabaseName="patches", TableInput={"Name": "table"})
    yield glue
    glue.delete_table(DatabaseName="patches", Name="table")
    glue.delete_database(Name="patches")


def update(glue, **arguments):
    table_input = {"Name": "table", "Description": arguments.pop("description", "new")}
    return glue.update_table(DatabaseName="patches", TableInput=table_input, **arguments)


def version(glue):
    return glue.get_table(DatabaseName="patches", Name="table")["Table"]["VersionId"]


class TestTables:
    """GlueResponse.update_table."""

    def test_an_update_of_a_former_version_is_refused(self, table):
        first = version(table)
        update(table, VersionId=first)
        with pytest.raises(ClientError) as caught:
            update(table, VersionId=first, description="late")
        assert code(caught.value) == "ConcurrentModificationException"
        assert table.get_table(DatabaseName="patches", Name="table")["Table"]["Description"] == "new"
        update(table)

    def test_of_many_updates_of_a_version_one_wins(self, aws, table):
        first = version(table)
        answers = at_once(*[lambda: update(aws.client("glue"), VersionId=first)] * 8)
        assert sorted(isinstance(answer, ClientError) for answer in answers) == [False] + [True] * 7

    def test_an_archive_is_kept_unless_it_is_skipped(self, table):
        update(table)
        update(table, SkipArchive=True)
        versions = table.get_table_versions(DatabaseName="patches", TableName="table")["TableVersions"]
        assert len(versions) == 2
        assert version(table) in {each["VersionId"] for each in versions}
