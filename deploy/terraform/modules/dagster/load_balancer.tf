# The way to the UI, which has no login of its own: TLS, the name and the origin by which it is asked, and a login
# where an identity provider is named. deploy/README.md, "Before the UI: the load balancer", says why.

locals {
  has_ui = var.ui_host != null
  uis    = local.has_ui ? local.webservers : {}

  # An https origin has no port, for the listener's is the default.
  ui_rules = merge([for position, name in sort(keys(local.uis)) : {
    "${name}-own-origin" = {
      ui       = name
      priority = position * 10 + 1
      forwards = true
      paths    = []
      headers  = { Origin = ["https://${local.uis[name].host}"] }
    }
    "${name}-foreign-origin" = {
      ui       = name
      priority = position * 10 + 2
      forwards = false
      paths    = []
      headers  = { Origin = ["?*"] }
    }
    "${name}-foreign-site" = {
      ui       = name
      priority = position * 10 + 3
      forwards = false
      paths    = ["/graphql*"]
      headers  = { Sec-Fetch-Site = ["cross-site", "same-site"] }
    }
    "${name}-no-origin" = {
      ui       = name
      priority = position * 10 + 4
      forwards = true
      paths    = []
      headers  = {}
    }
  }]...)
}

resource "aws_lb" "this" {
  count = local.has_ui ? 1 : 0

  name               = local.name
  load_balancer_type = "application"
  internal           = true
  subnets            = local.subnet_ids
  security_groups    = [aws_security_group.load_balancer[0].id]

  drop_invalid_header_fields = true
  enable_deletion_protection = local.protect
  # A run's page waits for its next event by a websocket that is silent between two.
  idle_timeout = 300

  dynamic "access_logs" {
    for_each = var.access_logs == null ? [] : [var.access_logs]

    content {
      enabled = true
      bucket  = access_logs.value.bucket
      prefix  = access_logs.value.prefix
    }
  }
}

resource "aws_lb_target_group" "ui" {
  for_each = local.uis

  # At most 32 characters.
  name        = each.key == "webserver" ? local.name : "${local.name}-read-only"
  vpc_id      = local.vpc_id
  target_type = "ip"
  protocol    = "HTTP"
  port        = local.webserver_port
  # As long as the UI's process is given to end.
  deregistration_delay = 30

  health_check {
    path                = "/server_info"
    matcher             = "200"
    interval            = 15
    timeout             = 10
    healthy_threshold   = 2
    unhealthy_threshold = 4
  }
}

resource "aws_lb_listener" "this" {
  count = local.has_ui ? 1 : 0

  load_balancer_arn = aws_lb.this[0].arn
  protocol          = "HTTPS"
  port              = 443
  certificate_arn   = var.ui_certificate_arn
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"

  default_action {
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      message_body = "Refused"
      status_code  = "403"
    }
  }
}

data "aws_secretsmanager_secret_version" "oidc" {
  count = local.has_ui && var.oidc != null ? 1 : 0

  secret_id = var.oidc.client_secret_arn
}

resource "aws_lb_listener_rule" "ui" {
  for_each = local.ui_rules

  listener_arn = aws_lb_listener.this[0].arn
  priority     = each.value.priority

  condition {
    host_header {
      values = [local.uis[each.value.ui].host]
    }
  }
  dynamic "condition" {
    for_each = length(each.value.paths) > 0 ? [each.value.paths] : []

    content {
      path_pattern {
        values = condition.value
      }
    }
  }
  dynamic "condition" {
    for_each = each.value.headers

    content {
      http_header {
        http_header_name = condition.key
        values           = condition.value
      }
    }
  }

  dynamic "action" {
    for_each = each.value.forwards && var.oidc != null ? [var.oidc] : []

    content {
      type  = "authenticate-oidc"
      order = 1

      authenticate_oidc {
        issuer                 = action.value.issuer
        authorization_endpoint = action.value.authorization_endpoint
        token_endpoint         = action.value.token_endpoint
        user_info_endpoint     = action.value.user_info_endpoint
        client_id              = action.value.client_id
        # The API wants the text itself, so it stands in the state too.
        client_secret   = data.aws_secretsmanager_secret_version.oidc[0].secret_string
        scope           = action.value.scope
        session_timeout = action.value.session_seconds
        # A page's own request can't follow a redirection to another site; 401 tells it that the login is over.
        on_unauthenticated_request = length(each.value.headers) > 0 ? "deny" : "authenticate"
      }
    }
  }
  dynamic "action" {
    for_each = each.value.forwards ? [1] : []

    content {
      type             = "forward"
      order            = var.oidc == null ? 1 : 2
      target_group_arn = aws_lb_target_group.ui[each.value.ui].arn
    }
  }
  dynamic "action" {
    for_each = each.value.forwards ? [] : [1]

    content {
      type  = "fixed-response"
      order = 1

      fixed_response {
        content_type = "text/plain"
        message_body = "Refused"
        status_code  = "403"
      }
    }
  }
}
