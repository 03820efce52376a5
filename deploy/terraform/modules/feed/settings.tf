variable "protect" {
  type        = bool
  description = "Whether tables refuse to be deleted, and buckets that hold objects too. Null: in prod."
  default     = null
}

variable "kms_key_arn" {
  type        = string
  description = "A key of your own that encrypts buckets, queues, tables and topic. Its policy has to let the roles of this module use it, and S3, SNS, EventBridge and CloudWatch send. Null: the services' own keys."
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key, not an alias."
  }
}

# The buckets

variable "existing_buckets" {
  type        = map(string)
  description = "Buckets that are there, by purpose: input, manifest, output, quarantine, scripts. The module leaves their settings alone, but for the input's notification."
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for purpose in keys(var.existing_buckets) : contains(["input", "manifest", "output", "quarantine", "scripts"], purpose)])
    error_message = "existing_buckets knows input, manifest, output, quarantine and scripts."
  }
}

variable "input_days" {
  type        = number
  description = "After so many days an input file is removed; for so long a date can be converted again. 0: never."
  default     = 30
  nullable    = false

  validation {
    condition     = var.input_days >= 0 && floor(var.input_days) == var.input_days
    error_message = "input_days must be a whole number of days, or 0."
  }
}

variable "report_days" {
  type        = number
  description = "After so many days reports, and what runs told on the way, are removed from the manifest bucket; at least 2, for an attempt may take a day."
  default     = 30
  nullable    = false

  validation {
    condition     = var.report_days >= 2 && floor(var.report_days) == var.report_days
    error_message = "report_days must be a whole number of at least 2."
  }
}

variable "quarantine_days" {
  type        = number
  description = "After so many days refused files and rejected records are removed. 0: never."
  default     = 90
  nullable    = false

  validation {
    condition     = var.quarantine_days >= 0 && floor(var.quarantine_days) == var.quarantine_days
    error_message = "quarantine_days must be a whole number of days, or 0."
  }
}

variable "noncurrent_days" {
  type        = number
  description = "After so many days former versions of an object are removed, where versions are kept."
  default     = 7
  nullable    = false

  validation {
    condition     = var.noncurrent_days >= 1 && floor(var.noncurrent_days) == var.noncurrent_days
    error_message = "noncurrent_days must be a whole number of at least 1."
  }
}

variable "producers" {
  type        = map(string)
  description = "Who may write where: the ARN of a role or user, and the part of the key below the input prefix that its keys begin with (empty: anywhere below it). None: whom their own policies let."
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for arn, _ in var.producers : can(regex("^arn:[^:]+:iam::[0-9]{12}:(role|user)/", arn))])
    error_message = "producers must be ARNs of roles or users."
  }
}

variable "input_is_strict" {
  type        = bool
  description = "Whether the input bucket refuses what could not be read or would cost: objects under a customer's key (SSE-C), under a foreign KMS key, in a cold storage class, or with an ACL."
  default     = true
  nullable    = false
}

# Events

variable "event_route" {
  type        = string
  description = "How S3's events reach the queue: s3 (straight), sns (by a topic, which others may subscribe), eventbridge (by a rule)."
  default     = "s3"
  nullable    = false

  validation {
    condition     = contains(["s3", "sns", "eventbridge"], var.event_route)
    error_message = "event_route must be s3, sns or eventbridge."
  }
}

variable "manage_input_notifications" {
  type        = bool
  description = "Whether the input bucket's notifications are set here; S3 keeps one configuration a bucket, so that others are lost. False, for an existing bucket: its owner adds the queue, the topic, or EventBridge."
  default     = true
  nullable    = false
}

variable "redrive_principals" {
  type        = list(string)
  description = "The ARNs of roles or users who may move messages back from the dead-letter queue: SQS sends them in their name, and nobody else of the account but the sweeper may send."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for arn in var.redrive_principals : can(regex("^arn:[^:]+:iam::[0-9]{12}:(role|user)/", arn))])
    error_message = "redrive_principals must be ARNs of roles or users."
  }
}

variable "max_receive_count" {
  type        = number
  description = "After so many receives SQS moves a message to the dead-letter queue."
  default     = 3
  nullable    = false

  validation {
    condition     = var.max_receive_count >= 3 && var.max_receive_count <= 1000
    error_message = "max_receive_count must be 3 to 1000: a throttled poll uses up receives, too."
  }
}

# The Lambdas

variable "lambda_memory_size" {
  type        = number
  description = "Memory of the manifest builder, in MB; CPU follows it."
  default     = 256
  nullable    = false

  validation {
    condition     = var.lambda_memory_size >= 128 && var.lambda_memory_size <= 10240
    error_message = "lambda_memory_size must be 128 to 10240."
  }
}

variable "lambda_timeout" {
  type        = number
  description = "After so many seconds an invocation of the manifest builder is ended; the queue hides a message six times as long."
  default     = 60
  nullable    = false

  validation {
    condition     = var.lambda_timeout >= 10 && var.lambda_timeout <= 900
    error_message = "lambda_timeout must be 10 to 900."
  }
}

variable "lambda_maximum_concurrency" {
  type        = number
  description = "So many manifest builders work at once."
  default     = 10
  nullable    = false

  validation {
    condition     = var.lambda_maximum_concurrency >= 2 && var.lambda_maximum_concurrency <= 1000
    error_message = "lambda_maximum_concurrency must be 2 to 1000, SQS's bounds."
  }
}

variable "lambda_reserved_concurrency" {
  type        = number
  description = "Taken from the account's concurrency for the manifest builder; not below lambda_maximum_concurrency, or throttled polls use up receives. -1: none is reserved; a new account has ten in all, and lets none be."
  default     = 10
  nullable    = false

  validation {
    condition     = var.lambda_reserved_concurrency == -1 || var.lambda_reserved_concurrency >= var.lambda_maximum_concurrency
    error_message = "lambda_reserved_concurrency must be at least lambda_maximum_concurrency, or -1."
  }
}

variable "lambda_batch_size" {
  type        = number
  description = "So many messages an invocation is given at most."
  default     = 10
  nullable    = false

  validation {
    condition     = var.lambda_batch_size >= 1 && var.lambda_batch_size <= 100
    error_message = "lambda_batch_size must be 1 to 100; more files than that an invocation can't do in its time."
  }
}

variable "lambda_batching_window_seconds" {
  type        = number
  description = "So long SQS waits for a batch to fill; it must not be 0 for more than ten messages."
  default     = 1
  nullable    = false

  validation {
    condition     = var.lambda_batching_window_seconds >= 0 && var.lambda_batching_window_seconds <= 300 && (var.lambda_batch_size <= 10 || var.lambda_batching_window_seconds > 0)
    error_message = "lambda_batching_window_seconds must be 0 to 300, and above 0 where lambda_batch_size is above 10."
  }
}

variable "sweep_interval_minutes" {
  type        = number
  description = "Once in so many minutes the sweeper flushes what is due, and finishes what crashed."
  default     = 1
  nullable    = false

  validation {
    condition     = var.sweep_interval_minutes >= 1 && var.sweep_interval_minutes <= 60 && floor(var.sweep_interval_minutes) == var.sweep_interval_minutes
    error_message = "sweep_interval_minutes must be a whole number from 1 to 60."
  }
}

variable "audit_interval_minutes" {
  type        = number
  description = "Once in so many minutes the sweeper also lists the input of recent dates, for events that were lost."
  default     = 60
  nullable    = false

  validation {
    condition     = var.audit_interval_minutes >= 2 && var.audit_interval_minutes <= 1440 && floor(var.audit_interval_minutes) == var.audit_interval_minutes
    error_message = "audit_interval_minutes must be a whole number from 2 to 1440."
  }
}

variable "sweeper_memory_size" {
  type        = number
  description = "Memory of the sweeper, in MB."
  default     = 512
  nullable    = false
}

variable "sweeper_timeout" {
  type        = number
  description = "After so many seconds a sweep is ended; what it did not reach it goes on with the next time."
  default     = 240
  nullable    = false

  validation {
    condition     = var.sweeper_timeout >= 60 && var.sweeper_timeout <= 900
    error_message = "sweeper_timeout must be 60 to 900."
  }
}

variable "log_days" {
  type        = number
  description = "So many days CloudWatch keeps the Lambdas' logs."
  default     = 14
  nullable    = false
}

# What ingest accepts, and how it batches

variable "input_prefix" {
  type        = string
  description = "INPUT_PREFIX: what every input key begins with."
  default     = "pipeline/input/"
  nullable    = false

  validation {
    condition     = endswith(var.input_prefix, "/") && !startswith(var.input_prefix, "/")
    error_message = "input_prefix must end in a slash, and not begin with one."
  }
}

variable "input_extensions" {
  type        = list(string)
  description = "INPUT_EXTENSIONS: what the name of an input file ends in, one of these."
  default     = [".ndjson", ".ndjson.gz"]
  nullable    = false

  validation {
    condition     = length(var.input_extensions) > 0 && alltrue([for one in var.input_extensions : can(regex("^(\\.[A-Za-z0-9_-]+)+$", one))])
    error_message = "input_extensions must be extensions such as .ndjson."
  }
}

variable "date_sources" {
  type        = list(string)
  description = "DATE_SOURCES: where a file's date is looked for, in this order: name, path, arrival."
  default     = ["name"]
  nullable    = false

  validation {
    condition     = length(var.date_sources) > 0 && alltrue([for one in var.date_sources : contains(["name", "path", "arrival"], one)])
    error_message = "date_sources must be of name, path and arrival."
  }
}

variable "partition_start_date" {
  type        = string
  description = "PARTITION_START_DATE: files of earlier dates are refused; the first partition."
  default     = "2025-01-01"
  nullable    = false

  validation {
    condition     = can(formatdate("YYYY", "${var.partition_start_date}T00:00:00Z"))
    error_message = "partition_start_date must be a date as YYYY-MM-DD."
  }
}

variable "max_files_per_manifest" {
  type        = number
  description = "MAX_FILES_PER_MANIFEST: a batch is cut at so many pending files."
  default     = 10
  nullable    = false

  validation {
    condition     = var.max_files_per_manifest >= 1 && var.max_files_per_manifest <= 10000
    error_message = "max_files_per_manifest must be 1 to 10000."
  }
}

variable "min_files_for_partial_batch" {
  type        = number
  description = "MIN_FILES_FOR_PARTIAL_BATCH: a past date is flushed at so many."
  default     = 1
  nullable    = false

  validation {
    condition     = var.min_files_for_partial_batch >= 1
    error_message = "min_files_for_partial_batch must be at least 1."
  }
}

variable "max_batch_age_seconds" {
  type        = number
  description = "MAX_BATCH_AGE_SECONDS: a batch is cut once its oldest file is so old. 0: never."
  default     = 0
  nullable    = false

  validation {
    condition     = var.max_batch_age_seconds >= 0
    error_message = "max_batch_age_seconds must be 0 or more."
  }
}

variable "max_batch_mb" {
  type        = number
  description = "MAX_BATCH_MB: a batch is cut before it exceeds so much. 0: never."
  default     = 0
  nullable    = false

  validation {
    condition     = var.max_batch_mb >= 0
    error_message = "max_batch_mb must be 0 or more."
  }
}

variable "late_flush_seconds" {
  type        = number
  description = "LATE_FLUSH_SECONDS: a past date of which something was cut less than this ago waits for a full batch."
  default     = 60
  nullable    = false

  validation {
    condition     = var.late_flush_seconds >= 0
    error_message = "late_flush_seconds must be 0 or more."
  }
}

variable "expected_file_size_mb" {
  type        = number
  description = "EXPECTED_FILE_SIZE_MB: files of another size are refused. 0: of any size are taken."
  default     = 3.5
  nullable    = false

  validation {
    condition     = var.expected_file_size_mb >= 0
    error_message = "expected_file_size_mb must be 0 or more."
  }
}

variable "size_tolerance_percent" {
  type        = number
  description = "SIZE_TOLERANCE_PERCENT: how far a size may lie from the expected, either way."
  default     = 10
  nullable    = false

  validation {
    condition     = var.size_tolerance_percent >= 0
    error_message = "size_tolerance_percent must be 0 or more."
  }
}

variable "lock_ttl_seconds" {
  type        = number
  description = "LOCK_TTL_SECONDS: how long a date's lock lives without its holder."
  default     = 300
  nullable    = false

  validation {
    condition     = var.lock_ttl_seconds >= var.lambda_timeout
    error_message = "lock_ttl_seconds must not be below lambda_timeout: a holder would outlive its lock in every slow invocation."
  }
}

variable "ttl_days" {
  type        = number
  description = "TTL_DAYS: how long a record lives after it has ended."
  default     = 30
  nullable    = false

  validation {
    condition     = var.ttl_days >= 1 && var.ttl_days <= 36500
    error_message = "ttl_days must be 1 to 36500."
  }
}

variable "refusal_alert_threshold" {
  type        = number
  description = "REFUSAL_ALERT_THRESHOLD: so many refused files within an hour are alerted. 0: never."
  default     = 10
  nullable    = false

  validation {
    condition     = var.refusal_alert_threshold >= 0
    error_message = "refusal_alert_threshold must be 0 or more."
  }
}

variable "audit_days" {
  type        = number
  description = "AUDIT_DAYS: how many dates before today the sweeper's audit lists."
  default     = 3
  nullable    = false

  validation {
    condition     = var.audit_days >= 0 && var.audit_days <= 30
    error_message = "audit_days must be 0 to 30."
  }
}

# The tables

variable "dynamodb_read_capacity" {
  type        = number
  description = "Read units of each table and index; the least, where they scale."
  default     = 5
  nullable    = false

  validation {
    condition     = var.dynamodb_read_capacity >= 1
    error_message = "dynamodb_read_capacity must be at least 1."
  }
}

variable "dynamodb_write_capacity" {
  type        = number
  description = "Write units of each table and index; the least, where they scale."
  default     = 25
  nullable    = false

  validation {
    condition     = var.dynamodb_write_capacity >= 1
    error_message = "dynamodb_write_capacity must be at least 1."
  }
}

variable "dynamodb_max_read_capacity" {
  type        = number
  description = "The most read units that the tracking table and each index scale to."
  default     = 200
  nullable    = false

  validation {
    condition     = var.dynamodb_max_read_capacity >= var.dynamodb_read_capacity
    error_message = "dynamodb_max_read_capacity must be at least dynamodb_read_capacity."
  }
}

variable "dynamodb_max_write_capacity" {
  type        = number
  description = "The most write units that the tracking table and each index scale to."
  default     = 1000
  nullable    = false

  validation {
    condition     = var.dynamodb_max_write_capacity >= var.dynamodb_write_capacity
    error_message = "dynamodb_max_write_capacity must be at least dynamodb_write_capacity."
  }
}

variable "enable_autoscaling" {
  type        = bool
  description = "Whether the tracking table and its indexes scale."
  default     = true
  nullable    = false
}

variable "dynamodb_on_demand" {
  type        = bool
  description = "Whether the tables are billed by request, and the capacities count for nothing."
  default     = false
  nullable    = false
}

# Glue

variable "glue_worker_type" {
  type        = string
  description = "GLUE_WORKER_TYPE: of the job's workers."
  default     = "G.1X"
  nullable    = false

  validation {
    condition     = contains(["G.1X", "G.2X", "G.4X", "G.8X"], var.glue_worker_type)
    error_message = "glue_worker_type must be G.1X, G.2X, G.4X or G.8X."
  }
}

variable "glue_number_of_workers" {
  type        = number
  description = "GLUE_NUMBER_OF_WORKERS: a run is given at least so many, driver included."
  default     = 2
  nullable    = false

  validation {
    condition     = var.glue_number_of_workers >= 2
    error_message = "glue_number_of_workers must be at least 2: one of them is the driver."
  }
}

variable "glue_max_workers" {
  type        = number
  description = "GLUE_MAX_WORKERS: a run is given at most so many, driver included."
  default     = 10
  nullable    = false

  validation {
    condition     = var.glue_max_workers >= var.glue_number_of_workers
    error_message = "glue_max_workers must be at least glue_number_of_workers."
  }
}

variable "glue_max_concurrent_runs" {
  type        = number
  description = "GLUE_MAX_CONCURRENT_RUNS: so many runs go at once, in Glue and in Dagster's pool."
  default     = 2
  nullable    = false

  validation {
    condition     = var.glue_max_concurrent_runs >= 1
    error_message = "glue_max_concurrent_runs must be at least 1."
  }
}

variable "glue_is_flexible" {
  type        = bool
  description = "Whether runs are of the flexible class: cheaper by a third, and they may wait for their workers."
  default     = false
  nullable    = false
}

variable "compression_type" {
  type        = string
  description = "--COMPRESSION_TYPE: of the Parquet."
  default     = "snappy"
  nullable    = false

  validation {
    condition     = contains(["snappy", "zstd", "gzip", "none"], var.compression_type)
    error_message = "compression_type must be snappy, zstd, gzip or none."
  }
}

variable "output_prefix" {
  type        = string
  description = "--OUTPUT_PREFIX: a folder of the output bucket, without slashes around it. Empty: none."
  default     = ""
  nullable    = false

  validation {
    condition     = !startswith(var.output_prefix, "/") && !endswith(var.output_prefix, "/")
    error_message = "output_prefix must neither begin nor end with a slash."
  }
}

variable "max_rejected_fraction" {
  type        = number
  description = "--MAX_REJECTED_FRACTION: a manifest fails where more of its records are rejected. 1: it never does."
  default     = 0.5
  nullable    = false

  validation {
    condition     = var.max_rejected_fraction >= 0 && var.max_rejected_fraction <= 1
    error_message = "max_rejected_fraction must be 0 to 1."
  }
}

variable "on_missing" {
  type        = string
  description = "--ON_MISSING: what becomes of a manifest that lists a file which can't be read for good: fail (the manifest, once the others are read) or skip."
  default     = "fail"
  nullable    = false

  validation {
    condition     = contains(["fail", "skip"], var.on_missing)
    error_message = "on_missing must be fail or skip."
  }
}

variable "schema_mode" {
  type        = string
  description = "--SCHEMA_MODE: whether the dataset may gain columns (evolve), or what is new goes to _rescued (freeze)."
  default     = "evolve"
  nullable    = false

  validation {
    condition     = contains(["evolve", "freeze"], var.schema_mode)
    error_message = "schema_mode must be evolve or freeze."
  }
}

variable "target_file_mb" {
  type        = number
  description = "--TARGET_FILE_MB: how large a Parquet file should be."
  default     = 128
  nullable    = false

  validation {
    condition     = var.target_file_mb > 0
    error_message = "target_file_mb must be above 0."
  }
}

# Launching

variable "launch_min_mb" {
  type        = number
  description = "LAUNCH_MIN_MB: a date is launched once so much of it waits. 0: no such bound."
  default     = 0
  nullable    = false

  validation {
    condition     = var.launch_min_mb >= 0
    error_message = "launch_min_mb must be 0 or more."
  }
}

variable "launch_max_wait_seconds" {
  type        = number
  description = "LAUNCH_MAX_WAIT_SECONDS: a date is launched once its oldest manifest waited so long. 0: at once."
  default     = 0
  nullable    = false

  validation {
    condition     = var.launch_max_wait_seconds >= 0
    error_message = "launch_max_wait_seconds must be 0 or more."
  }
}

# Alerts

variable "alert_emails" {
  type        = list(string)
  description = "Addresses that the alert topic is sent to; each has to confirm the mail that AWS sends."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for one in var.alert_emails : can(regex("^[^@\\s]+@[^@\\s]+$", one))])
    error_message = "alert_emails must be e-mail addresses."
  }
}

variable "oldest_pending_minutes" {
  type        = number
  description = "An alarm is raised once the oldest pending file is so old; a day's last files wait for midnight, so a day and some."
  default     = 1500
  nullable    = false
}

variable "extra_wait_minutes" {
  type        = number
  description = "An alarm is raised once a manifest has waited for so long beyond what the dial allows."
  default     = 30
  nullable    = false
}
