# What the feed's code location needs: the variables of its process, and what its role may do. Whoever has a Dagster
# already takes both from the outputs.

locals {
  code_location_variables = {
    for name, value in {
      NDJSON_ENVIRONMENT       = var.environment
      NDJSON_FEED              = var.feed
      NDJSON_DAGSTER_URL       = var.dagster_url
      AWS_DEFAULT_REGION       = local.region
      LAUNCH_MIN_MB            = tostring(var.launch_min_mb)
      LAUNCH_MAX_WAIT_SECONDS  = tostring(var.launch_max_wait_seconds)
      GLUE_WORKER_TYPE         = var.glue_worker_type
      GLUE_NUMBER_OF_WORKERS   = tostring(var.glue_number_of_workers)
      GLUE_MAX_WORKERS         = tostring(var.glue_max_workers)
      GLUE_MAX_CONCURRENT_RUNS = tostring(var.glue_max_concurrent_runs)
      TTL_DAYS                 = tostring(var.ttl_days)
      PARTITION_START_DATE     = var.partition_start_date
      INPUT_PREFIX             = var.input_prefix
      INPUT_EXTENSIONS         = join(",", var.input_extensions)
      DATE_SOURCES             = join(",", var.date_sources)
    } : name => value if value != null && value != ""
  }
}

data "aws_iam_policy_document" "code_location" {
  source_policy_documents = [data.aws_iam_policy_document.own_account.json]

  statement {
    sid = "MoveManifests"
    actions = [
      "dynamodb:BatchGetItem",
      "dynamodb:GetItem",
      "dynamodb:PutItem",
      "dynamodb:Query",
      "dynamodb:UpdateItem",
    ]
    resources = [local.table_arns.tracking]
  }
  statement {
    sid       = "FindManifests"
    actions   = ["dynamodb:Query"]
    resources = [local.tracking_index_arns["manifests-by-status"], local.tracking_index_arns["failed-manifests"]]
  }
  statement {
    sid       = "FindDueManifests"
    actions   = ["dynamodb:Scan"]
    resources = [local.tracking_index_arns["alerts-pending"], local.tracking_index_arns["retries-due"]]
  }
  statement {
    sid       = "ReadManifestsAndReports"
    actions   = ["s3:GetObject"]
    resources = ["${local.bucket_arns.manifest}/manifests/*", "${local.bucket_arns.manifest}/logs/*"]
  }
  statement {
    sid       = "TalkWithRuns"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = ["${local.bucket_arns.manifest}/pipes/*"]
  }
  statement {
    sid       = "LookAtOutput"
    actions   = ["s3:GetObject"]
    resources = ["${local.bucket_arns.output}/${local.output_folder}merged-parquet-*"]
  }
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket"]
    resources = [local.bucket_arns.manifest, local.bucket_arns.output]
  }
  # No role is passed: the job has its own, and nobody gives it another.
  statement {
    sid       = "RunJob"
    actions   = ["glue:BatchStopJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:StartJobRun"]
    resources = [local.job_arn]
  }
  statement {
    sid       = "Sweep"
    actions   = ["lambda:InvokeFunction"]
    resources = [local.function_arns.sweeper]
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
