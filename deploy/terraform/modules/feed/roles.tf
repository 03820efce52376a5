# One role a component, each with what its code calls and no more. What is on `*` says why.

locals {
  own_account = { StringEquals = { "aws:ResourceAccount" = local.account } }

  role_services = merge(
    {
      manifest-builder = "lambda.amazonaws.com"
      sweeper          = "lambda.amazonaws.com"
      glue             = "glue.amazonaws.com"
      scheduler        = "scheduler.amazonaws.com"
    },
    local.is_prod ? {} : { generator = "lambda.amazonaws.com" },
  )
  # Who may act as the service, besides that it must be for this account. Of Lambda the account alone: a function and
  # the poller of its queue come with other ARNs. EventBridge Scheduler is documented to say for whom it comes; of
  # Lambda and Glue it counts where they say it, for a condition that they never met would keep them out.
  role_sources = {
    glue      = "arn:${local.partition}:glue:${local.region}:${local.account}:*"
    scheduler = "arn:${local.partition}:scheduler:${local.region}:${local.account}:schedule-group/default"
  }
  role_descriptions = {
    manifest-builder = "Tracks input files, and cuts them into manifests"
    sweeper          = "Flushes past dates, looks for lost events"
    generator        = "Writes test input"
    glue             = "Converts manifests to Parquet"
    scheduler        = "Invokes the sweeper"
  }
}

resource "aws_iam_role" "this" {
  for_each = local.role_services

  name        = "${local.component}-${each.key}-${var.environment}"
  description = local.role_descriptions[each.key]
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = { Service = each.value }
        Action    = "sts:AssumeRole"
        Condition = merge(
          { (each.key == "scheduler" ? "StringEquals" : "StringEqualsIfExists") = { "aws:SourceAccount" = local.account } },
          contains(keys(local.role_sources), each.key) ? {
            (each.key == "scheduler" ? "ArnLike" : "ArnLikeIfExists") = { "aws:SourceArn" = local.role_sources[each.key] }
          } : {},
        )
      },
    ]
  })
}

locals {
  # An object of a bucket under an own key is read and written by that key, through the services that hold it.
  uses_key = [for key in var.kms_key_arn == null ? [] : [var.kms_key_arn] : {
    Sid      = "UseKey"
    Effect   = "Allow"
    Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource = key
    Condition = {
      StringEquals = {
        "kms:ViaService" = [for service in ["s3", "sqs", "sns", "dynamodb"] : "${service}.${local.region}.${data.aws_partition.current.dns_suffix}"]
      }
    }
  }]
  # The environment of a function under an own key is decrypted by the function's role.
  uses_environment_key = [for key in var.kms_key_arn == null ? [] : [var.kms_key_arn] : {
    Sid       = "DecryptEnvironment"
    Effect    = "Allow"
    Action    = "kms:Decrypt"
    Resource  = key
    Condition = { StringEquals = { "kms:ViaService" = "lambda.${local.region}.${data.aws_partition.current.dns_suffix}" } }
  }]

  # The groups are made by Terraform.
  writes_function_log = {
    for component, function in local.functions : component => [{
      Sid      = "WriteLog"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/lambda/${function.name}:log-stream:*"
    }]
  }

  # What builder and sweeper share: both cut manifests, both quarantine.
  ingests = [
    {
      Sid       = "ReadAndQuarantineInput"
      Effect    = "Allow"
      Action    = ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging", "s3:DeleteObject"]
      Resource  = "${local.bucket_arns.input}/${var.input_prefix}*"
      Condition = local.own_account
    },
    {
      Sid       = "KeepRefused"
      Effect    = "Allow"
      Action    = ["s3:GetObject", "s3:PutObject", "s3:PutObjectTagging", "s3:AbortMultipartUpload"]
      Resource  = "${local.bucket_arns.quarantine}/*"
      Condition = local.own_account
    },
    {
      Sid       = "WriteManifests"
      Effect    = "Allow"
      Action    = ["s3:GetObject", "s3:PutObject"]
      Resource  = "${local.bucket_arns.manifest}/manifests/*"
      Condition = local.own_account
    },
    {
      Sid       = "WriteReports"
      Effect    = "Allow"
      Action    = "s3:PutObject"
      Resource  = "${local.bucket_arns.manifest}/logs/lambda/*"
      Condition = local.own_account
    },
    {
      # Without it a key that is gone is answered like one that is forbidden. No bound by prefix: a GetObject
      # has none, and would be answered so all the same.
      Sid       = "TellGoneFromForbidden"
      Effect    = "Allow"
      Action    = "s3:ListBucket"
      Resource  = [local.bucket_arns.input, local.bucket_arns.manifest, local.bucket_arns.quarantine]
      Condition = local.own_account
    },
    {
      Sid    = "Track"
      Effect = "Allow"
      Action = [
        "dynamodb:BatchGetItem",
        "dynamodb:ConditionCheckItem",
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
      ]
      Resource = local.arns.tracking_table
    },
    {
      Sid      = "QueryPendingFiles"
      Effect   = "Allow"
      Action   = "dynamodb:Query"
      Resource = "${local.arns.tracking_table}/index/pending-files"
    },
    {
      Sid      = "Count"
      Effect   = "Allow"
      Action   = "dynamodb:PutItem"
      Resource = local.arns.metrics_table
    },
    {
      Sid      = "Alert"
      Effect   = "Allow"
      Action   = "sns:Publish"
      Resource = local.arns.alert_topic
    },
  ]

  policies = {
    manifest-builder = concat(local.ingests, [
      {
        # The event source mapping's calls, which Lambda makes as this role.
        Sid      = "ReceiveEvents"
        Effect   = "Allow"
        Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
        Resource = local.arns.queue
      },
    ], local.writes_function_log["manifest-builder"], local.uses_key, local.uses_environment_key)

    sweeper = concat(local.ingests, [
      {
        Sid      = "FindWhatIsOpen"
        Effect   = "Allow"
        Action   = "dynamodb:Scan"
        Resource = "${local.arns.tracking_table}/index/pending-files"
      },
      {
        Sid      = "FindWaitingManifests"
        Effect   = "Allow"
        Action   = "dynamodb:Query"
        Resource = "${local.arns.tracking_table}/index/manifests-by-status"
      },
      {
        Sid       = "RemoveUncommittedManifests"
        Effect    = "Allow"
        Action    = "s3:DeleteObject"
        Resource  = "${local.bucket_arns.manifest}/manifests/*"
        Condition = local.own_account
      },
      {
        Sid      = "SendLostEvents"
        Effect   = "Allow"
        Action   = "sqs:SendMessage"
        Resource = local.arns.queue
      },
    ], local.writes_function_log["sweeper"], local.uses_key, local.uses_environment_key)

    generator = concat([
      {
        Sid       = "WriteTestInput"
        Effect    = "Allow"
        Action    = "s3:PutObject"
        Resource  = "${local.bucket_arns.input}/${var.input_prefix}*"
        Condition = local.own_account
      },
    ], try(local.writes_function_log["generator"], []), local.uses_key, local.uses_environment_key)

    scheduler = [
      {
        Sid      = "InvokeSweeper"
        Effect   = "Allow"
        Action   = "lambda:InvokeFunction"
        Resource = local.arns.sweeper
      },
    ]

    glue = concat([
      {
        Sid       = "ReadInput"
        Effect    = "Allow"
        Action    = ["s3:GetObject", "s3:GetObjectVersion"]
        Resource  = "${local.bucket_arns.input}/${var.input_prefix}*"
        Condition = local.own_account
      },
      {
        Sid    = "ReadManifests"
        Effect = "Allow"
        Action = "s3:GetObject"
        Resource = [
          "${local.bucket_arns.manifest}/manifests/*",
          "${local.bucket_arns.manifest}/pipes/*",
          "${local.bucket_arns.manifest}/schemas/*",
          "${local.bucket_arns.scripts}/*",
        ]
        Condition = local.own_account
      },
      {
        Sid    = "WriteReports"
        Effect = "Allow"
        Action = "s3:PutObject"
        Resource = [
          "${local.bucket_arns.manifest}/logs/glue/*",
          "${local.bucket_arns.manifest}/pipes/*",
          "${local.bucket_arns.manifest}/schemas/*",
        ]
        Condition = local.own_account
      },
      {
        # An object is deleted on the condition that it is still the one that was listed, which takes GetObject.
        Sid    = "WriteOutput"
        Effect = "Allow"
        Action = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
        Resource = [
          "${local.bucket_arns.output}/${local.dataset_folder}merged-parquet-*",
          "${local.bucket_arns.quarantine}/rejected/*",
        ]
        Condition = local.own_account
      },
      {
        Sid       = "ListAndTellGoneFromForbidden"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Resource  = values(local.bucket_arns)
        Condition = local.own_account
      },
      {
        Sid      = "AskOfRun"
        Effect   = "Allow"
        Action   = "glue:GetJobRun"
        Resource = local.arns.glue_job
      },
      {
        Sid    = "KeepCatalogTable"
        Effect = "Allow"
        Action = ["glue:GetTable", "glue:UpdateTable"]
        # A table's rights are asked of what it lies in, too.
        Resource = [
          "arn:${local.partition}:glue:${local.region}:${local.account}:catalog",
          "arn:${local.partition}:glue:${local.region}:${local.account}:database/${local.names.catalog_database}",
          "arn:${local.partition}:glue:${local.region}:${local.account}:table/${local.names.catalog_database}/${local.names.catalog_table}",
        ]
      },
      {
        # Glue makes its groups itself.
        Sid      = "WriteLog"
        Effect   = "Allow"
        Action   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
        Resource = "arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws-glue/jobs/*"
      },
      {
        # The action knows no resource.
        Sid       = "WriteJobMetrics"
        Effect    = "Allow"
        Action    = "cloudwatch:PutMetricData"
        Resource  = "*"
        Condition = { StringEquals = { "cloudwatch:namespace" = "Glue" } }
      },
    ], local.uses_key)
  }
}

resource "aws_iam_role_policy" "this" {
  for_each = aws_iam_role.this

  name   = each.key
  role   = each.value.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.policies[each.key] })
}
