# The Lambdas: the manifest builder behind the queue, the sweeper behind a timer, in dev the generator.

locals {
  # One set for all three: each reads what it needs (lambda_ingest/settings.py; a test compares the names).
  lambda_variables = {
    MANIFEST_BUCKET             = local.names.manifest
    TRACKING_TABLE              = local.tracking_table
    METRICS_TABLE               = local.metrics_table
    QUARANTINE_BUCKET           = local.names.quarantine
    INPUT_BUCKET                = local.names.input
    QUEUE_URL                   = aws_sqs_queue.events.url
    ALERT_TOPIC_ARN             = local.topic_arn
    INPUT_PREFIX                = var.input_prefix
    INPUT_EXTENSIONS            = join(",", var.input_extensions)
    DATE_SOURCES                = join(",", var.date_sources)
    PARTITION_START_DATE        = var.partition_start_date
    MAX_FILES_PER_MANIFEST      = tostring(var.max_files_per_manifest)
    MIN_FILES_FOR_PARTIAL_BATCH = tostring(var.min_files_for_partial_batch)
    MAX_BATCH_AGE_SECONDS       = tostring(var.max_batch_age_seconds)
    MAX_BATCH_MB                = tostring(var.max_batch_mb)
    LATE_FLUSH_SECONDS          = tostring(var.late_flush_seconds)
    EXPECTED_FILE_SIZE_MB       = tostring(var.expected_file_size_mb)
    SIZE_TOLERANCE_PERCENT      = tostring(var.size_tolerance_percent)
    LOCK_TTL_SECONDS            = tostring(var.lock_ttl_seconds)
    TTL_DAYS                    = tostring(var.ttl_days)
    REFUSAL_ALERT_THRESHOLD     = tostring(var.refusal_alert_threshold)
    AUDIT_DAYS                  = tostring(var.audit_days)
  }

  function_settings = merge(
    {
      manifest-builder = {
        handler     = "lambda_ingest.manifest_builder.handler"
        description = "Validates and tracks each file that comes, and cuts batches into manifests"
        memory      = var.lambda_memory_size
        timeout     = var.lambda_timeout
        reserved    = var.lambda_reserved_concurrency
      }
      sweeper = {
        handler     = "lambda_ingest.sweeper.handler"
        description = "Flushes past dates, finishes what crashed, finds lost events"
        memory      = var.sweeper_memory_size
        timeout     = var.sweeper_timeout
        # A sweep, an audit beside it, and one by hand. Where nothing is reserved, it is neither here.
        reserved = var.lambda_reserved_concurrency == -1 ? -1 : 3
      }
    },
    var.environment != "dev" ? {} : {
      generator = {
        handler     = "lambda_ingest.generate_ndjson.handler"
        description = "Writes test input"
        memory      = 256
        timeout     = 900
        reserved    = var.lambda_reserved_concurrency == -1 ? -1 : 1
      }
    },
  )
}

resource "aws_cloudwatch_log_group" "function" {
  for_each = local.function_settings

  name              = "/aws/lambda/${local.functions[each.key]}"
  retention_in_days = var.log_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_lambda_function" "this" {
  for_each = local.function_settings

  function_name                  = local.functions[each.key]
  description                    = each.value.description
  role                           = aws_iam_role.function[each.key].arn
  runtime                        = "python3.11"
  architectures                  = ["arm64"]
  handler                        = each.value.handler
  filename                       = var.lambda_zip
  source_code_hash               = filebase64sha256(var.lambda_zip)
  memory_size                    = each.value.memory
  timeout                        = each.value.timeout
  reserved_concurrent_executions = each.value.reserved
  kms_key_arn                    = var.kms_key_arn

  environment {
    variables = local.lambda_variables
  }

  # Its log begins in the group that has an end, and it can do its work from its first call.
  depends_on = [aws_cloudwatch_log_group.function, aws_iam_role_policy.function]
}

resource "aws_lambda_event_source_mapping" "events" {
  event_source_arn                   = aws_sqs_queue.events.arn
  function_name                      = aws_lambda_function.this["manifest-builder"].arn
  batch_size                         = var.lambda_batch_size
  maximum_batching_window_in_seconds = var.lambda_batching_window_seconds
  function_response_types            = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = var.lambda_maximum_concurrency
  }
}

locals {
  # The flush costs what is open, the audit the listings of some dates: so one comes often, the other rarely.
  schedules = {
    sweep = { minutes = var.sweep_interval_minutes, input = { audit = false } }
    audit = { minutes = var.audit_interval_minutes, input = {} }
  }
}

resource "aws_scheduler_schedule" "sweeper" {
  for_each = local.schedules

  name                = "${local.prefix}-parquet-${each.key}-${var.environment}"
  description         = "Calls ${local.functions.sweeper}"
  schedule_expression = each.value.minutes == 1 ? "rate(1 minute)" : "rate(${each.value.minutes} minutes)"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.this["sweeper"].arn
    role_arn = aws_iam_role.scheduler.arn
    input    = jsonencode(each.value.input)

    # The next one comes soon, and does what this one would have done.
    retry_policy {
      maximum_event_age_in_seconds = 60
      maximum_retry_attempts       = 0
    }
  }
}

# What fails of an asynchronous call is not called again: the next sweep does it.
resource "aws_lambda_function_event_invoke_config" "sweeper" {
  function_name          = aws_lambda_function.this["sweeper"].function_name
  maximum_retry_attempts = 0
}
