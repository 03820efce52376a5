# What the feed's code location needs, wherever its process runs: variables, and what its role may do.

locals {
  # ndjson_pipeline/deployment/settings.py reads these; a test holds that none is missing.
  code_location_variables = merge(
    {
      NDJSON_ENVIRONMENT       = var.environment
      NDJSON_FEED              = var.feed
      AWS_REGION               = local.region
      LAUNCH_MIN_MB            = tostring(var.launch_min_mb)
      LAUNCH_MAX_WAIT_SECONDS  = tostring(var.launch_max_wait_seconds)
      GLUE_WORKER_TYPE         = var.glue_worker_type
      GLUE_NUMBER_OF_WORKERS   = tostring(var.glue_number_of_workers)
      GLUE_MAX_WORKERS         = tostring(var.glue_max_workers)
      GLUE_MAX_CONCURRENT_RUNS = tostring(var.glue_max_concurrent_runs)
      INPUT_PREFIX             = var.input_prefix
      INPUT_EXTENSIONS         = join(",", var.input_extensions)
      DATE_SOURCES             = join(",", var.date_sources)
      TTL_DAYS                 = tostring(var.ttl_days)
      PARTITION_START_DATE     = var.partition_start_date
      ASSET_OWNERS             = join(",", var.asset_owners)
      CODE_URL                 = var.code_url
      RUNBOOK_URL              = var.runbook_url
    },
    var.dagster_url == null ? {} : { NDJSON_DAGSTER_URL = var.dagster_url },
  )

  code_location_policy = concat([
    {
      Sid    = "ReadManifestsAndReports"
      Effect = "Allow"
      Action = "s3:GetObject"
      Resource = [
        "${local.bucket_arns.manifest}/manifests/*",
        "${local.bucket_arns.manifest}/logs/*",
        "${local.bucket_arns.manifest}/pipes/*",
        "${local.bucket_arns.manifest}/schemas/*",
      ]
      Condition = local.own_account
    },
    {
      # A HEAD tells which generation of the schema an output file follows; there is no action for less.
      Sid       = "TellOlderOutput"
      Effect    = "Allow"
      Action    = "s3:GetObject"
      Resource  = "${local.bucket_arns.output}/${local.dataset_folder}merged-parquet-*"
      Condition = local.own_account
    },
    {
      # A check that warns names the files whose lines were rejected.
      Sid       = "NameRejectedFiles"
      Effect    = "Allow"
      Action    = "s3:GetObject"
      Resource  = "${local.bucket_arns.quarantine}/rejected/*"
      Condition = local.own_account
    },
    {
      Sid       = "TalkToRuns"
      Effect    = "Allow"
      Action    = ["s3:PutObject", "s3:DeleteObject"]
      Resource  = "${local.bucket_arns.manifest}/pipes/*"
      Condition = local.own_account
    },
    {
      # By hand, in a job of the UI. The Glue job's commit markers lie beside, which are its own.
      Sid       = "ChangeColumns"
      Effect    = "Allow"
      Action    = "s3:PutObject"
      Resource  = "${local.bucket_arns.manifest}/schemas/${local.buckets.output}/${local.dataset_folder}schema.json"
      Condition = local.own_account
    },
    {
      Sid       = "List"
      Effect    = "Allow"
      Action    = "s3:ListBucket"
      Resource  = [local.bucket_arns.manifest, local.bucket_arns.output]
      Condition = local.own_account
    },
    {
      Sid    = "SettleManifests"
      Effect = "Allow"
      Action = [
        "dynamodb:BatchGetItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
      ]
      Resource = local.arns.tracking_table
    },
    {
      Sid    = "FindManifests"
      Effect = "Allow"
      Action = "dynamodb:Query"
      Resource = [
        "${local.arns.tracking_table}/index/manifests-by-status",
        "${local.arns.tracking_table}/index/failed-manifests",
      ]
    },
    {
      Sid    = "FindWhatIsDue"
      Effect = "Allow"
      Action = "dynamodb:Scan"
      Resource = [
        "${local.arns.tracking_table}/index/alerts-pending",
        "${local.arns.tracking_table}/index/pending-files",
        "${local.arns.tracking_table}/index/retries-due",
      ]
    },
    {
      # Starting a run of a job passes no role: the job has its own.
      Sid      = "Convert"
      Effect   = "Allow"
      Action   = ["glue:GetJob", "glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"]
      Resource = local.arns.glue_job
    },
    {
      Sid      = "CallSweeper"
      Effect   = "Allow"
      Action   = "lambda:InvokeFunction"
      Resource = local.arns.sweeper
    },
    {
      Sid      = "Alert"
      Effect   = "Allow"
      Action   = "sns:Publish"
      Resource = local.arns.alert_topic
    },
  ], local.uses_key)
}
