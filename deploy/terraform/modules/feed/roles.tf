# One role a component; what each may do follows its code's calls, and a test holds the one against the other.

locals {
  role_names = {
    for component in ["manifest-builder", "sweeper", "generator", "glue", "scheduler"] :
    component => "${local.prefix}-parquet-${component}-${var.environment}"
  }
  role_arns = { for component, name in local.role_names : component => "arn:${local.partition}:iam::${local.account}:role/${name}" }

  tracking_index_arns = { for name, _ in local.indexes : name => "${local.table_arns.tracking}/index/${name}" }
}

# Each service passes the account on whose behalf it comes; the condition counts where it does.
data "aws_iam_policy_document" "trust" {
  for_each = toset(["lambda", "glue", "scheduler"])

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["${each.key}.amazonaws.com"]
    }
    # EventBridge Scheduler is documented to pass it. Lambda and Glue are not; a condition that they never met would
    # keep them out.
    condition {
      test     = each.key == "scheduler" ? "StringEquals" : "StringEqualsIfExists"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role" "function" {
  for_each = local.function_settings

  name               = local.role_names[each.key]
  description        = "${local.functions[each.key]}: ${each.value.description}"
  assume_role_policy = data.aws_iam_policy_document.trust["lambda"].json
}

resource "aws_iam_role_policy" "function" {
  for_each = local.function_settings

  name = each.key
  role = aws_iam_role.function[each.key].id
  policy = {
    manifest-builder = data.aws_iam_policy_document.manifest_builder.json
    sweeper          = data.aws_iam_policy_document.sweeper.json
    generator        = data.aws_iam_policy_document.generator.json
  }[each.key]
}

# A bucket's name has no account in it: whoever takes the name of one that was deleted would be sent its objects.
data "aws_iam_policy_document" "own_account" {
  statement {
    sid       = "OwnBucketsAlone"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = ["*"]

    condition {
      test     = "StringNotEquals"
      variable = "aws:ResourceAccount"
      values   = [local.account]
    }
  }
}

# What builder and sweeper share: both cut batches and quarantine.

data "aws_iam_policy_document" "ingest" {
  source_policy_documents = [data.aws_iam_policy_document.own_account.json]

  statement {
    sid = "Track"
    actions = [
      "dynamodb:BatchGetItem",
      "dynamodb:ConditionCheckItem",
      "dynamodb:DeleteItem",
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      "dynamodb:Query",
      "dynamodb:UpdateItem",
    ]
    resources = [local.table_arns.tracking]
  }
  statement {
    sid       = "FindPendingFiles"
    actions   = ["dynamodb:Query"]
    resources = [local.tracking_index_arns["pending-files"]]
  }
  statement {
    sid       = "Count"
    actions   = ["dynamodb:PutItem"]
    resources = [local.table_arns.metrics]
  }
  # A version too: what an event was about may have been replaced.
  statement {
    sid       = "ReadInput"
    actions   = ["s3:GetObject", "s3:GetObjectTagging", "s3:GetObjectVersion", "s3:GetObjectVersionTagging"]
    resources = ["${local.bucket_arns.input}/*"]
  }
  statement {
    sid       = "RemoveRefused"
    actions   = ["s3:DeleteObject"]
    resources = ["${local.bucket_arns.input}/${var.input_prefix}*"]
  }
  statement {
    sid       = "Quarantine"
    actions   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject", "s3:PutObjectTagging"]
    resources = ["${local.bucket_arns.quarantine}/*"]
  }
  statement {
    sid       = "Manifests"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${local.bucket_arns.manifest}/manifests/*"]
  }
  statement {
    sid       = "Report"
    actions   = ["s3:PutObject"]
    resources = ["${local.bucket_arns.manifest}/logs/lambda/*"]
  }
  # So that what is not there answers 404: without it S3 says 403, which could be anything.
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [local.bucket_arns.input, local.bucket_arns.manifest, local.bucket_arns.quarantine]
  }
  statement {
    sid       = "Alert"
    actions   = ["sns:Publish"]
    resources = [local.topic_arn]
  }

  dynamic "statement" {
    for_each = var.kms_key_arn == null ? [] : [var.kms_key_arn]

    content {
      sid       = "UseKey"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }
}

data "aws_iam_policy_document" "manifest_builder" {
  source_policy_documents = [data.aws_iam_policy_document.ingest.json]

  # The event source mapping's own calls, made by the function's role.
  statement {
    sid       = "ReceiveEvents"
    actions   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    resources = [local.queue_arn]
  }
  statement {
    sid       = "WriteLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/lambda/${local.functions.manifest-builder}:*"]
  }
}

data "aws_iam_policy_document" "sweeper" {
  source_policy_documents = [data.aws_iam_policy_document.ingest.json]

  statement {
    sid       = "FindOpenDates"
    actions   = ["dynamodb:Scan"]
    resources = [local.tracking_index_arns["pending-files"]]
  }
  statement {
    sid       = "FindWaitingManifests"
    actions   = ["dynamodb:Query"]
    resources = [local.tracking_index_arns["manifests-by-status"]]
  }
  statement {
    sid       = "RemoveUncommitted"
    actions   = ["s3:DeleteObject"]
    resources = ["${local.bucket_arns.manifest}/manifests/*"]
  }
  statement {
    sid       = "SendLostEvents"
    actions   = ["sqs:SendMessage"]
    resources = [local.queue_arn]
  }
  statement {
    sid       = "WriteLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/lambda/${local.functions.sweeper}:*"]
  }
}

data "aws_iam_policy_document" "generator" {
  source_policy_documents = [data.aws_iam_policy_document.own_account.json]

  statement {
    sid       = "WriteInput"
    actions   = ["s3:PutObject"]
    resources = ["${local.bucket_arns.input}/${var.input_prefix}*"]
  }
  statement {
    sid       = "WriteLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws/lambda/${local.functions.generator}:*"]
  }

  dynamic "statement" {
    for_each = var.kms_key_arn == null ? [] : [var.kms_key_arn]

    content {
      sid       = "UseKey"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }
}

# The timer.

resource "aws_iam_role" "scheduler" {
  name               = local.role_names.scheduler
  description        = "EventBridge Scheduler: calls ${local.functions.sweeper}"
  assume_role_policy = data.aws_iam_policy_document.trust["scheduler"].json
}

data "aws_iam_policy_document" "scheduler" {
  statement {
    sid       = "CallSweeper"
    actions   = ["lambda:InvokeFunction"]
    resources = [local.function_arns.sweeper]
  }
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "scheduler"
  role   = aws_iam_role.scheduler.id
  policy = data.aws_iam_policy_document.scheduler.json
}

# The conversion. It writes schemas, output and rejects; manifests it only reads.

resource "aws_iam_role" "glue" {
  name               = local.role_names.glue
  description        = "${local.glue_job}: converts what manifests list"
  assume_role_policy = data.aws_iam_policy_document.trust["glue"].json
}

data "aws_iam_policy_document" "glue" {
  source_policy_documents = [data.aws_iam_policy_document.own_account.json]

  statement {
    sid       = "ReadOwnCode"
    actions   = ["s3:GetObject"]
    resources = ["${local.bucket_arns.scripts}/glue_jobs/*"]
  }
  statement {
    sid       = "ReadInput"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"]
    resources = ["${local.bucket_arns.input}/${var.input_prefix}*"]
  }
  statement {
    sid       = "ReadManifests"
    actions   = ["s3:GetObject"]
    resources = ["${local.bucket_arns.manifest}/manifests/*", "${local.bucket_arns.manifest}/pipes/*"]
  }
  statement {
    sid       = "Schemas"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${local.bucket_arns.manifest}/schemas/*"]
  }
  statement {
    sid       = "ReportAndTell"
    actions   = ["s3:PutObject"]
    resources = ["${local.bucket_arns.manifest}/logs/glue/*", "${local.bucket_arns.manifest}/pipes/*"]
  }
  statement {
    sid       = "WriteOutput"
    actions   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:PutObject"]
    resources = ["${local.bucket_arns.output}/${local.output_folder}merged-parquet-*"]
  }
  statement {
    sid       = "WriteRejected"
    actions   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:PutObject"]
    resources = ["${local.bucket_arns.quarantine}/rejected/*"]
  }
  # Leftovers of an earlier attempt; and so that what is not there answers 404.
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [local.bucket_arns.input, local.bucket_arns.manifest, local.bucket_arns.output, local.bucket_arns.quarantine]
  }
  statement {
    sid     = "FollowSchema"
    actions = ["glue:GetTable", "glue:UpdateTable"]
    resources = [
      "arn:${local.partition}:glue:${local.region}:${local.account}:catalog",
      "arn:${local.partition}:glue:${local.region}:${local.account}:database/${local.catalog_database}",
      "arn:${local.partition}:glue:${local.region}:${local.account}:table/${local.catalog_database}/${local.catalog_table}",
    ]
  }
  # Glue's own: the groups are shared by all jobs of the account.
  statement {
    sid       = "WriteLog"
    actions   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["arn:${local.partition}:logs:${local.region}:${local.account}:log-group:/aws-glue/*"]
  }
  statement {
    sid       = "WriteMetrics"
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"] # The action knows no resource.

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = ["Glue"]
    }
  }

  dynamic "statement" {
    for_each = var.kms_key_arn == null ? [] : [var.kms_key_arn]

    content {
      sid       = "UseKey"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }
}

resource "aws_iam_role_policy" "glue" {
  name   = "glue"
  role   = aws_iam_role.glue.id
  policy = data.aws_iam_policy_document.glue.json
}
