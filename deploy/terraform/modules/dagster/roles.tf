# One role a component. Daemon and webserver reach the database and nothing else: whatever touches data is done by
# code servers and their runs. Nothing here may pass a role, for no run launcher starts tasks.

locals {
  # Tasks of this account and region alone; https://docs.aws.amazon.com/AmazonECS/latest/developerguide/
  # task-iam-roles.html knows no narrower ARN.
  trust = {
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = "ecs-tasks.amazonaws.com" }
        Action    = "sts:AssumeRole"
        Condition = {
          StringEquals = { "aws:SourceAccount" = local.account }
          ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:ecs:${local.region}:${local.account}:*" }
        }
      },
    ]
  }
}

# What Fargate does before the container's own code runs.

resource "aws_iam_role" "execution" {
  name               = "ndjson-dagster-execution-${var.environment}"
  description        = "Fargate: pulls the image of Dagster's services, writes their logs"
  assume_role_policy = jsonencode(local.trust)
}

locals {
  pulls_image = [for statement in [
    {
      Sid      = "LogInToRegistry"
      Effect   = "Allow"
      Action   = "ecr:GetAuthorizationToken"
      Resource = "*" # The action knows no resource.
    },
    {
      Sid      = "PullImage"
      Effect   = "Allow"
      Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Resource = local.repository_arns
    },
  ] : statement if length(local.repository_arns) > 0]
  writes_logs = [
    {
      Sid      = "WriteLogs"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = [for group in aws_cloudwatch_log_group.container : "${group.arn}:*"]
    },
  ]
}

resource "aws_iam_role_policy" "execution" {
  name   = "execution"
  role   = aws_iam_role.execution.id
  policy = jsonencode({ Version = "2012-10-17", Statement = concat(local.pulls_image, local.writes_logs) })
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
  assume_role_policy = jsonencode(local.trust)
}

locals {
  reads_database_secret = [
    {
      Sid      = "ReadDatabaseSecret"
      Effect   = "Allow"
      Action   = "secretsmanager:GetSecretValue"
      Resource = local.database_secret_arn
    },
  ]
  decrypts_database_secret = [for key in var.kms_key_arn == null ? [] : [var.kms_key_arn] :
    {
      Sid       = "DecryptDatabaseSecret"
      Effect    = "Allow"
      Action    = "kms:Decrypt"
      Resource  = key
      Condition = { StringEquals = { "kms:EncryptionContext:SecretARN" = local.database_secret_arn } }
    }
  ]
  executes_commands = [for _ in range(var.enable_execute_command ? 1 : 0) :
    {
      Sid    = "ExecuteCommand"
      Effect = "Allow"
      Action = [
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
      ]
      Resource = "*" # The actions know no resource.
    }
  ]
}

resource "aws_iam_role_policy" "task" {
  for_each = aws_iam_role.task

  name = "dagster"
  role = each.value.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.reads_database_secret, local.decrypts_database_secret, local.executes_commands)
  })
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
