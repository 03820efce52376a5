# One role a component. Daemon and webserver reach the database and nothing else: whatever touches data is done by
# code servers and their runs. Nothing here may pass a role, for no run launcher starts tasks.

data "aws_iam_policy_document" "tasks" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
    # Tasks of this account and region alone (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/
    # task-iam-roles.html names no narrower ARN).
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:ecs:${local.region}:${local.account}:*"]
    }
  }
}

# What Fargate does before the container's own code runs.

resource "aws_iam_role" "execution" {
  name               = "ndjson-dagster-execution-${var.environment}"
  description        = "Fargate: pulls the image of Dagster's services, writes their logs"
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

data "aws_iam_policy_document" "execution" {
  dynamic "statement" {
    for_each = length(local.repository_arns) > 0 ? [1] : []

    content {
      sid       = "LogInToRegistry"
      actions   = ["ecr:GetAuthorizationToken"]
      resources = ["*"] # The action knows no resource.
    }
  }
  dynamic "statement" {
    for_each = length(local.repository_arns) > 0 ? [1] : []

    content {
      sid       = "PullImage"
      actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      resources = local.repository_arns
    }
  }
  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = [for group in aws_cloudwatch_log_group.container : "${group.arn}:log-stream:*"]
  }
}

resource "aws_iam_role_policy" "execution" {
  name   = "execution"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution.json
}

# What the containers' own code does.

locals {
  # By the key of its tasks: a service's, or a code location's.
  task_roles = merge(
    { for one in setsubtract(local.components, ["code-server"]) : one => {
      name        = "ndjson-dagster-${one}-${var.environment}"
      description = "Dagster: ${one}"
    } },
    { for one in local.code_services : one.service => {
      name        = "${one.name}-parquet-code-location-${var.environment}"
      description = "Dagster: the code location ${one.name}, and its runs"
    } },
  )
}

resource "aws_iam_role" "task" {
  for_each = local.task_roles

  name               = each.value.name
  description        = each.value.description
  assume_role_policy = data.aws_iam_policy_document.tasks.json
}

data "aws_iam_policy_document" "task" {
  statement {
    sid       = "ReadDatabaseSecret"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [local.database_secret_arn]
  }
  dynamic "statement" {
    for_each = var.kms_key_arn == null ? [] : [var.kms_key_arn]

    content {
      sid       = "DecryptDatabaseSecret"
      actions   = ["kms:Decrypt"]
      resources = [statement.value]

      condition {
        test     = "StringEquals"
        variable = "kms:EncryptionContext:SecretARN"
        values   = [local.database_secret_arn]
      }
    }
  }
  dynamic "statement" {
    for_each = var.enable_execute_command ? [1] : []

    content {
      sid = "ExecuteCommand"
      actions = [
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
      ]
      resources = ["*"] # The actions know no resource.
    }
  }
}

resource "aws_iam_role_policy" "task" {
  for_each = aws_iam_role.task

  name   = "dagster"
  role   = each.value.id
  policy = data.aws_iam_policy_document.task.json
}

# A policy of its own a feed, so that the one task of a small deployment may have several.
resource "aws_iam_policy" "code_location" {
  for_each = var.code_locations

  name        = "${each.value.name}-parquet-code-location-${var.environment}"
  description = "What the code location ${each.value.name} does with its feed's data"
  policy      = each.value.policy_json
}

resource "aws_iam_role_policy_attachment" "code_location" {
  for_each = var.code_locations

  role       = aws_iam_role.task[var.one_task ? "platform" : "code-server-${each.value.name}"].name
  policy_arn = aws_iam_policy.code_location[each.key].arn
}
