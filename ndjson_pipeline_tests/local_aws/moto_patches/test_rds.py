"""RDS put right: each test fails where its patch is missing."""


class TestParameters:
    """DBParameterGroup.update_parameters."""

    def test_a_changed_parameter_is_the_users(self, aws):
        rds = aws.client("rds")
        rds.create_db_parameter_group(
            DBParameterGroupName="patches", DBParameterGroupFamily="postgres17", Description="patches"
        )
        changed = {
            "ParameterName": "rds.force_ssl",
            "ParameterValue": "1",
            "ApplyMethod": "immediate",
        }
        rds.modify_db_parameter_group(DBParameterGroupName="patches", Parameters=[changed])
        [parameter] = rds.describe_db_parameters(DBParameterGroupName="patches")["Parameters"]
        assert parameter == {**changed, "Source": "user"}
