# The cluster and what runs in it: a service a task.

locals {
  namespace = "${local.name}.internal"
}

resource "aws_ecs_cluster" "this" {
  name = local.name

  setting {
    name  = "containerInsights"
    value = "disabled" # The alarms need none of it, and each metric costs.
  }
}

# By what names the code servers are found.

resource "aws_service_discovery_private_dns_namespace" "this" {
  count = var.one_task ? 0 : 1

  name        = local.namespace
  description = "Dagster's code servers"
  vpc         = local.vpc_id
}

resource "aws_service_discovery_service" "code_server" {
  for_each = var.one_task ? {} : local.code_services

  name        = each.value.name
  description = "The code server of ${each.value.name}"
  # A task that has just ended may be registered still.
  force_destroy = true

  dns_config {
    namespace_id   = aws_service_discovery_private_dns_namespace.this[0].id
    routing_policy = "MULTIVALUE"

    dns_records {
      type = "A"
      # A new server has another address; so long daemon and UI ask the old one.
      ttl = 10
    }
  }
}

resource "aws_ecs_service" "this" {
  for_each = local.tasks

  name             = each.key
  cluster          = aws_ecs_cluster.this.id
  task_definition  = aws_ecs_task_definition.this[each.key].arn
  launch_type      = "FARGATE"
  platform_version = "1.4.0"
  desired_count    = 1

  # Two daemons would tick each sensor twice, and two code servers of one name split the runs: the old one ends
  # before the new one begins. The UI has no state, and goes on meanwhile.
  deployment_minimum_healthy_percent = each.value.component == "webserver" ? 100 : 0
  deployment_maximum_percent         = each.value.component == "webserver" ? 200 : 100
  availability_zone_rebalancing      = "DISABLED"

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  enable_execute_command  = var.enable_execute_command
  enable_ecs_managed_tags = true
  propagate_tags          = "SERVICE"
  wait_for_steady_state   = var.wait_for_services

  # Only where a load balancer asks; it would kill what is still loading.
  health_check_grace_period_seconds = local.has_ui && each.value.component == local.ui_component ? 180 : null

  network_configuration {
    subnets          = local.subnet_ids
    security_groups  = [aws_security_group.component[each.value.component].id]
    assign_public_ip = false
  }

  dynamic "service_registries" {
    for_each = [for key, one in local.code_services : key if !var.one_task && one.service == each.key]

    content {
      registry_arn = aws_service_discovery_service.code_server[service_registries.value].arn
    }
  }

  dynamic "load_balancer" {
    for_each = [for name, _ in local.uis : name if contains(each.value.containers, name)]

    content {
      target_group_arn = aws_lb_target_group.ui[load_balancer.value].arn
      container_name   = load_balancer.value
      container_port   = local.webserver_port
    }
  }

  # A task that starts before it may read its secret, or reach anything, fails; enough of them end the deployment.
  depends_on = [
    aws_iam_role_policy.execution,
    aws_iam_role_policy.task,
    aws_iam_role_policy_attachment.code_location,
    aws_lb_listener_rule.ui,
    aws_route.nat,
    aws_route_table_association.private,
    aws_vpc_endpoint.gateway,
    aws_vpc_endpoint.interface,
    aws_vpc_security_group_egress_rule.to_code_servers,
    aws_vpc_security_group_egress_rule.to_database,
    aws_vpc_security_group_egress_rule.to_dynamodb,
    aws_vpc_security_group_egress_rule.to_endpoints,
    aws_vpc_security_group_egress_rule.to_networks,
    aws_vpc_security_group_egress_rule.to_s3,
    aws_vpc_security_group_ingress_rule.load_balancer_to_ui,
    aws_vpc_security_group_ingress_rule.to_code_servers,
    aws_vpc_security_group_ingress_rule.to_database,
    aws_vpc_security_group_ingress_rule.to_endpoints,
  ]

  lifecycle {
    precondition {
      condition     = !local.own_network || length(local.interface_endpoints) > 0 || var.nat_gateway
      error_message = "The tasks have no way to AWS: leave interface_endpoints at its default, or set nat_gateway."
    }
  }
}
