# The manifest builder behind the queue, the sweeper behind a timer, in dev the generator of test input.

locals {
  # lambda_ingest/settings.py reads these; a test holds that none is missing.
  function_variables = {
    MANIFEST_BUCKET             = local.buckets.manifest
    TRACKING_TABLE              = local.names.tracking_table
    METRICS_TABLE               = local.names.metrics_table
    QUARANTINE_BUCKET           = local.buckets.quarantine
    INPUT_BUCKET                = local.buckets.input
    QUEUE_URL                   = aws_sqs_queue.events.url
    ALERT_TOPIC_ARN             = local.arns.alert_topic
    INPUT_PREFIX                = var.input_prefix
    INPUT_EXTENSIONS            = join(",", var.input_extensions)
    DATE_SOURCES                = join(",", var.date_sources)
    MAX_FILES_PER_MANIFEST      = tostring(var.max_files_per_manifest)
    MIN_FILES_FOR_PARTIAL_BATCH = tostring(var.min_files_for_partial_batch)
    LATE_FLUSH_SECONDS          = tostring(var.late_flush_seconds)
    EXPECTED_FILE_SIZE_MB       = tostring(var.expected_file_size_mb)
    SIZE_TOLERANCE_PERCENT      = tostring(var.size_tolerance_percent)
    LOCK_TTL_SECONDS            = tostring(var.lock_ttl_seconds)
    TTL_DAYS                    = tostring(var.ttl_days)
    MAX_BATCH_AGE_SECONDS       = tostring(var.max_batch_age_seconds)
    MAX_BATCH_MB                = tostring(var.max_batch_mb)
    PARTITION_START_DATE        = var.partition_start_date
    REFUSAL_ALERT_THRESHOLD     = tostring(var.refusal_alert_threshold)
    AUDIT_DAYS                  = tostring(var.audit_days)
  }

  functions = merge(
    {
      manifest-builder = {
        name        = local.names.manifest_builder
        handler     = "lambda_ingest.manifest_builder.handler"
        description = "Tracks input files, and cuts them into manifests"
        timeout     = var.lambda_timeout
        concurrency = var.lambda_reserved_concurrency
      }
      sweeper = {
        name        = local.names.sweeper
        handler     = "lambda_ingest.sweeper.handler"
        description = "Sweeps up what no event finishes: past dates, crashed builders, lost events"
        timeout     = var.sweeper_timeout
        concurrency = var.sweeper_reserved_concurrency
      }
    },
    local.is_prod ? {} : {
      generator = {
        name        = local.names.generator
        handler     = "lambda_ingest.generate_ndjson.handler"
        description = "Writes test input"
        timeout     = 300
        concurrency = -1
      }
    },
  )
  lambda_zip = "${var.package_directory}/lambda.zip"
}

resource "aws_cloudwatch_log_group" "function" {
  for_each = local.functions

  name              = "/aws/lambda/${each.value.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_function" "this" {
  for_each = local.functions

  function_name                  = each.value.name
  description                    = each.value.description
  role                           = aws_iam_role.this[each.key].arn
  handler                        = each.value.handler
  runtime                        = var.lambda_runtime
  architectures                  = ["arm64"]
  filename                       = local.lambda_zip
  source_code_hash               = filebase64sha256(local.lambda_zip)
  memory_size                    = var.lambda_memory_size
  timeout                        = each.value.timeout
  reserved_concurrent_executions = each.value.concurrency
  kms_key_arn                    = var.kms_key_arn

  environment {
    variables = local.function_variables
  }

  # The group's retention must be there before the function's first line, which would make a group for ever.
  depends_on = [aws_cloudwatch_log_group.function, aws_iam_role_policy.this]
}

resource "aws_lambda_event_source_mapping" "events" {
  event_source_arn                   = aws_sqs_queue.events.arn
  function_name                      = aws_lambda_function.this["manifest-builder"].arn
  batch_size                         = var.queue_batch_size
  maximum_batching_window_in_seconds = var.queue_batching_window_seconds
  function_response_types            = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.queue_max_concurrency
  }

  # Lambda looks at the role's rights as the mapping is made.
  depends_on = [aws_iam_role_policy.this]
}

# A sweep that failed is not tried again: the next is a minute away.
resource "aws_lambda_function_event_invoke_config" "sweeper" {
  function_name                = aws_lambda_function.this["sweeper"].function_name
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = 300
}

locals {
  schedules = {
    sweep = { minutes = var.sweep_interval_minutes, input = { audit = false } }
    audit = { minutes = var.audit_interval_minutes, input = {} }
  }
}

resource "aws_scheduler_schedule" "sweeper" {
  for_each = local.schedules

  name                = "${local.component}-${each.key}-${var.environment}"
  description         = each.key == "sweep" ? "Flushes what is due" : "Looks for lost events, too"
  schedule_expression = "rate(${each.value.minutes} ${each.value.minutes == 1 ? "minute" : "minutes"})"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.this["sweeper"].arn
    role_arn = aws_iam_role.this["scheduler"].arn
    input    = jsonencode(each.value.input)

    retry_policy {
      maximum_retry_attempts       = 0
      maximum_event_age_in_seconds = 60
    }
  }

  depends_on = [aws_iam_role_policy.this]
}
