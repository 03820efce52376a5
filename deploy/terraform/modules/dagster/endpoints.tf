# By what the tasks reach AWS, and whose resources they reach by it.

locals {
  # Fargate fetches the image and writes the logs by the task's own network; the rest are the code's calls:
  # the database's secret, and those of ndjson_pipeline/deployment/clients.py. S3 and DynamoDB have gateways.
  called_services = concat(
    ["ecr.api", "ecr.dkr", "logs", "secretsmanager", "sts", "glue", "sns", "lambda"],
    var.enable_execute_command ? ["ssmmessages"] : [],
  )
  interface_endpoints = toset(var.interface_endpoints == null ? local.called_services : var.interface_endpoints)
  gateway_endpoints   = toset(local.own_network || length(try(var.existing_network.route_table_ids, [])) > 0 ? ["s3", "dynamodb"] : [])

  # Where a task without interface endpoints goes; the module's own network has the NAT gateway alone.
  task_egress_cidr_blocks = toset(concat(
    var.nat_gateway && length(local.interface_endpoints) == 0 ? ["0.0.0.0/0"] : [],
    var.task_egress_cidr_blocks,
  ))

  reachable_accounts = concat([local.account], var.endpoint_accounts)
}

locals {
  gateway_policies = {
    s3 = {
      Version = "2012-10-17"
      Statement = [
        {
          Sid       = "BucketsOfThisAccount"
          Effect    = "Allow"
          Principal = "*"
          Action    = "s3:*"
          Resource  = "*"
          Condition = { StringEquals = { "aws:ResourceAccount" = local.reachable_accounts } }
        },
        # An image's layers lie in a bucket of ECR's
        # (https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html#ecr-minimum-s3-perms).
        {
          Sid       = "LayersOfImages"
          Effect    = "Allow"
          Principal = "*"
          Action    = "s3:GetObject"
          Resource  = "arn:${local.partition}:s3:::prod-${local.region}-starport-layer-bucket/*"
        },
      ]
    }
    dynamodb = {
      Version = "2012-10-17"
      Statement = [
        {
          Sid       = "TablesOfThisAccount"
          Effect    = "Allow"
          Principal = "*"
          Action    = "dynamodb:*"
          Resource  = "*"
          Condition = { StringEquals = { "aws:ResourceAccount" = local.reachable_accounts } }
        },
      ]
    }
  }

  # Keys of another account, brought into the network, carry nothing out of it.
  interface_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "RolesOfThisAccount"
        Effect    = "Allow"
        Principal = "*"
        Action    = "*"
        Resource  = "*"
        Condition = { StringEquals = { "aws:PrincipalAccount" = [local.account] } }
      },
    ]
  }
}

resource "aws_vpc_endpoint" "gateway" {
  for_each = local.gateway_endpoints

  vpc_id            = local.vpc_id
  vpc_endpoint_type = "Gateway"
  service_name      = "com.amazonaws.${local.region}.${each.key}"
  route_table_ids   = local.own_network ? aws_route_table.private[*].id : var.existing_network.route_table_ids
  policy            = jsonencode(local.gateway_policies[each.key])

  tags = { Name = "${local.name}-${each.key}" }
}

resource "aws_vpc_endpoint" "interface" {
  for_each = local.interface_endpoints

  vpc_id              = local.vpc_id
  vpc_endpoint_type   = "Interface"
  service_name        = "com.amazonaws.${local.region}.${each.key}"
  subnet_ids          = slice(local.subnet_ids, 0, var.endpoint_zones)
  security_group_ids  = [aws_security_group.endpoints[0].id]
  private_dns_enabled = true
  policy              = jsonencode(local.interface_policy)

  tags = { Name = "${local.name}-${each.key}" }
}
