# Who may talk to whom. A group says nothing by itself; each line of talk is a rule at both of its ends.

resource "aws_security_group" "component" {
  for_each = toset(local.components)

  name        = "${local.name}-${each.key}"
  description = "Dagster: ${each.key}"
  vpc_id      = local.vpc_id

  tags = { Name = "${local.name}-${each.key}" }
}

resource "aws_security_group" "database" {
  name        = "${local.name}-database"
  description = "Dagster: PostgreSQL"
  vpc_id      = local.vpc_id

  tags = { Name = "${local.name}-database" }
}

resource "aws_security_group" "endpoints" {
  count = length(local.interface_endpoints) > 0 ? 1 : 0

  name        = "${local.name}-endpoints"
  description = "Dagster: interface endpoints of AWS"
  vpc_id      = local.vpc_id

  tags = { Name = "${local.name}-endpoints" }
}

resource "aws_security_group" "load_balancer" {
  count = local.has_ui ? 1 : 0

  name        = "${local.name}-load-balancer"
  description = "Dagster: the load balancer before the UI"
  vpc_id      = local.vpc_id

  tags = { Name = "${local.name}-load-balancer" }
}

# People to the load balancer, it to the UI and to the identity provider.

resource "aws_vpc_security_group_ingress_rule" "people_to_load_balancer" {
  for_each = local.has_ui ? toset(var.ui_cidr_blocks) : toset([])

  security_group_id = aws_security_group.load_balancer[0].id
  description       = "People who use the UI"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "load_balancer_to_ui" {
  count = local.has_ui ? 1 : 0

  security_group_id            = aws_security_group.load_balancer[0].id
  description                  = "The UI"
  referenced_security_group_id = aws_security_group.component[local.ui_component].id
  ip_protocol                  = "tcp"
  from_port                    = local.webserver_port
  to_port                      = local.webserver_port
}

resource "aws_vpc_security_group_ingress_rule" "load_balancer_to_ui" {
  count = local.has_ui ? 1 : 0

  security_group_id            = aws_security_group.component[local.ui_component].id
  description                  = "The load balancer"
  referenced_security_group_id = aws_security_group.load_balancer[0].id
  ip_protocol                  = "tcp"
  from_port                    = local.webserver_port
  to_port                      = local.webserver_port
}

resource "aws_vpc_security_group_egress_rule" "load_balancer_to_identity_provider" {
  for_each = local.has_ui && var.oidc != null ? toset(var.oidc.egress_cidr_blocks) : toset([])

  security_group_id = aws_security_group.load_balancer[0].id
  description       = "The identity provider"
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

# Daemon and webserver to the code servers. In one task they talk by its loopback.

resource "aws_vpc_security_group_egress_rule" "to_code_servers" {
  for_each = var.one_task ? toset([]) : toset(["daemon", "webserver"])

  security_group_id            = aws_security_group.component[each.key].id
  description                  = "gRPC of the code servers"
  referenced_security_group_id = aws_security_group.component["code-server"].id
  ip_protocol                  = "tcp"
  from_port                    = local.code_server_port
  to_port                      = local.code_server_port
}

resource "aws_vpc_security_group_ingress_rule" "to_code_servers" {
  for_each = var.one_task ? toset([]) : toset(["daemon", "webserver"])

  security_group_id            = aws_security_group.component["code-server"].id
  description                  = "gRPC from the ${each.key}"
  referenced_security_group_id = aws_security_group.component[each.key].id
  ip_protocol                  = "tcp"
  from_port                    = local.code_server_port
  to_port                      = local.code_server_port
}

# Each of them to PostgreSQL.

resource "aws_vpc_security_group_egress_rule" "to_database" {
  for_each = toset(local.components)

  security_group_id            = aws_security_group.component[each.key].id
  description                  = "PostgreSQL"
  referenced_security_group_id = aws_security_group.database.id
  ip_protocol                  = "tcp"
  from_port                    = local.postgres_port
  to_port                      = local.postgres_port
}

resource "aws_vpc_security_group_ingress_rule" "to_database" {
  for_each = toset(local.components)

  security_group_id            = aws_security_group.database.id
  description                  = "PostgreSQL from the ${each.key}"
  referenced_security_group_id = aws_security_group.component[each.key].id
  ip_protocol                  = "tcp"
  from_port                    = local.postgres_port
  to_port                      = local.postgres_port
}

# Each of them to AWS.

resource "aws_vpc_security_group_egress_rule" "to_endpoints" {
  for_each = length(local.interface_endpoints) > 0 ? toset(local.components) : toset([])

  security_group_id            = aws_security_group.component[each.key].id
  description                  = "Interface endpoints of AWS"
  referenced_security_group_id = aws_security_group.endpoints[0].id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_ingress_rule" "to_endpoints" {
  for_each = length(local.interface_endpoints) > 0 ? toset(local.components) : toset([])

  security_group_id            = aws_security_group.endpoints[0].id
  description                  = "HTTPS from the ${each.key}"
  referenced_security_group_id = aws_security_group.component[each.key].id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

data "aws_ec2_managed_prefix_list" "gateway" {
  for_each = toset(["s3", "dynamodb"])

  name = "com.amazonaws.${local.region}.${each.key}"
}

# Every image's layers come from S3.
resource "aws_vpc_security_group_egress_rule" "to_s3" {
  for_each = toset(local.components)

  security_group_id = aws_security_group.component[each.key].id
  description       = "S3"
  prefix_list_id    = data.aws_ec2_managed_prefix_list.gateway["s3"].id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "to_dynamodb" {
  for_each = setintersection(local.components, ["code-server", "platform"])

  security_group_id = aws_security_group.component[each.key].id
  description       = "DynamoDB"
  prefix_list_id    = data.aws_ec2_managed_prefix_list.gateway["dynamodb"].id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "to_networks" {
  for_each = {
    for pair in setproduct(local.components, local.task_egress_cidr_blocks) : "${pair[0]} ${pair[1]}" => {
      component = pair[0]
      block     = pair[1]
    }
  }

  security_group_id = aws_security_group.component[each.value.component].id
  description       = "AWS, by the network's own ways"
  cidr_ipv4         = each.value.block
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
