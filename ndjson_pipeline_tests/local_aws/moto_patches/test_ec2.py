"""EC2 put right: each test fails where its patch is missing."""


class TestSecurityGroupRules:
    """SecurityGroupRule.__init__."""

    def test_a_rule_keeps_its_description_whatever_it_names(self, aws):
        ec2 = aws.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.9.0.0/24")["Vpc"]["VpcId"]
        group = ec2.create_security_group(GroupName="rules", Description="rules", VpcId=vpc)["GroupId"]
        lists = ec2.describe_managed_prefix_lists()["PrefixLists"]
        peers = {
            "a block": {"IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "a block"}]},
            "a group": {"UserIdGroupPairs": [{"GroupId": group, "Description": "a group"}]},
            "a list": {
                "PrefixListIds": [{"PrefixListId": lists[0]["PrefixListId"], "Description": "a list"}]
            },
        }
        for peer in peers.values():
            ec2.authorize_security_group_ingress(
                GroupId=group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, **peer}]
            )
        rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
        told = {rule.get("Description") for rule in rules["SecurityGroupRules"] if not rule["IsEgress"]}
        assert told == set(peers)
