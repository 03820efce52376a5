# Written by generate.py from modules/feed/settings.tf; change it there.

# What may be set, for all feeds or for one.

# Ingest: each is the functions' environment variable of the same name in capitals.

variable "input_prefix" {
  type        = string
  description = "What every input key begins with. Objects elsewhere in the bucket are none of the pipeline's."
  default     = "pipeline/input/"
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9!_.=-]+/)+$", var.input_prefix))
    error_message = "input_prefix must be folders, each ending in a slash, such as pipeline/input/."
  }
}

variable "input_extensions" {
  type        = list(string)
  description = "What the name of an input file ends in, one of these. A file with another is quarantined."
  default     = [".ndjson", ".ndjson.gz"]
  nullable    = false

  validation {
    condition     = length(var.input_extensions) > 0 && alltrue([for one in var.input_extensions : can(regex("^([.][A-Za-z0-9_-]+)+$", one))])
    error_message = "input_extensions must be extensions such as .ndjson: a dot, and letters, digits, _ and -."
  }
}

variable "date_sources" {
  type        = list(string)
  description = "Where a file's date is looked for, in this order: in its name, in its path, or the time of its arrival."
  default     = ["name"]
  nullable    = false

  validation {
    condition     = length(var.date_sources) > 0 && alltrue([for one in var.date_sources : contains(["name", "path", "arrival"], one)])
    error_message = "date_sources must be a list of name, path and arrival."
  }
}

variable "partition_start_date" {
  type        = string
  description = "The first date that is taken. Files of earlier dates are quarantined."
  default     = "2025-01-01"
  nullable    = false

  validation {
    condition     = can(formatdate("YYYY-MM-DD", "${var.partition_start_date}T00:00:00Z"))
    error_message = "partition_start_date must be a date as YYYY-MM-DD."
  }
}

variable "max_files_per_manifest" {
  type        = number
  description = "A batch is cut at this many pending files."
  default     = 10
  nullable    = false

  validation {
    condition     = var.max_files_per_manifest >= 1 && var.max_files_per_manifest <= 10000 && floor(var.max_files_per_manifest) == var.max_files_per_manifest
    error_message = "max_files_per_manifest must be a whole number from 1 to 10,000."
  }
}

variable "min_files_for_partial_batch" {
  type        = number
  description = "A past date flushes at this many pending files."
  default     = 1
  nullable    = false

  validation {
    condition     = var.min_files_for_partial_batch >= 1 && floor(var.min_files_for_partial_batch) == var.min_files_for_partial_batch
    error_message = "min_files_for_partial_batch must be a whole number of at least 1."
  }
}

variable "expected_file_size_mb" {
  type        = number
  description = "Files of another size are quarantined, give or take size_tolerance_percent; 1 MB is 1,048,576 bytes. 0 switches the check off."
  default     = 3.5
  nullable    = false

  validation {
    condition     = var.expected_file_size_mb >= 0
    error_message = "expected_file_size_mb must be 0, or a size in MB."
  }
}

variable "size_tolerance_percent" {
  type        = number
  description = "How far a file's size may lie from the expected, either way."
  default     = 10
  nullable    = false

  validation {
    condition     = var.size_tolerance_percent >= 0
    error_message = "size_tolerance_percent must not be negative."
  }
}

variable "lock_ttl_seconds" {
  type        = number
  description = "How long a date's lock lives without its holder."
  default     = 300
  nullable    = false

  validation {
    condition     = var.lock_ttl_seconds >= 1 && floor(var.lock_ttl_seconds) == var.lock_ttl_seconds
    error_message = "lock_ttl_seconds must be a whole number of at least 1."
  }
}

variable "ttl_days" {
  type        = number
  description = "How long a record of the tracking table lives after it has ended."
  default     = 30
  nullable    = false

  validation {
    condition     = var.ttl_days >= 1 && var.ttl_days <= 36500 && floor(var.ttl_days) == var.ttl_days
    error_message = "ttl_days must be a whole number from 1 to 36,500."
  }
}

variable "max_batch_age_seconds" {
  type        = number
  description = "A batch is cut once its oldest file is this old, too. 0 never does."
  default     = 0
  nullable    = false

  validation {
    condition     = var.max_batch_age_seconds >= 0 && floor(var.max_batch_age_seconds) == var.max_batch_age_seconds
    error_message = "max_batch_age_seconds must be 0 or a whole number of seconds."
  }
}

variable "max_batch_mb" {
  type        = number
  description = "A batch is cut before it exceeds this, too. 0 never does."
  default     = 0
  nullable    = false

  validation {
    condition     = var.max_batch_mb >= 0
    error_message = "max_batch_mb must be 0, or a size in MB."
  }
}

variable "late_flush_seconds" {
  type        = number
  description = "A past date of which something was cut less than this ago waits for a full batch, or for the sweep."
  default     = 60
  nullable    = false

  validation {
    condition     = var.late_flush_seconds >= 0 && floor(var.late_flush_seconds) == var.late_flush_seconds
    error_message = "late_flush_seconds must be 0 or a whole number of seconds."
  }
}

variable "refusal_alert_threshold" {
  type        = number
  description = "So many refused files within an hour are alerted. 0 never is."
  default     = 10
  nullable    = false

  validation {
    condition     = var.refusal_alert_threshold >= 0 && floor(var.refusal_alert_threshold) == var.refusal_alert_threshold
    error_message = "refusal_alert_threshold must be 0 or a whole number."
  }
}

variable "audit_days" {
  type        = number
  description = "How many dates before today the sweeper's audit lists."
  default     = 3
  nullable    = false

  validation {
    condition     = var.audit_days >= 0 && var.audit_days <= 30 && floor(var.audit_days) == var.audit_days
    error_message = "audit_days must be a whole number from 0 to 30."
  }
}

# The functions

variable "lambda_runtime" {
  type        = string
  description = "The functions' Python. What is tested is 3.11."
  default     = "python3.11"
  nullable    = false

  validation {
    condition     = contains(["python3.11", "python3.12", "python3.13"], var.lambda_runtime)
    error_message = "lambda_runtime must be python3.11, python3.12 or python3.13."
  }
}

variable "lambda_memory_size" {
  type        = number
  description = "Of each function, in MB."
  default     = 256
  nullable    = false

  validation {
    condition     = var.lambda_memory_size >= 128 && var.lambda_memory_size <= 10240 && floor(var.lambda_memory_size) == var.lambda_memory_size
    error_message = "lambda_memory_size must be a whole number from 128 to 10,240."
  }
}

variable "lambda_timeout" {
  type        = number
  description = "After how many seconds an invocation of the manifest builder is ended. A message is hidden for six times as long."
  default     = 60
  nullable    = false

  validation {
    condition     = var.lambda_timeout >= 10 && var.lambda_timeout <= 900 && floor(var.lambda_timeout) == var.lambda_timeout
    error_message = "lambda_timeout must be a whole number from 10 to 900."
  }
}

variable "sweeper_timeout" {
  type        = number
  description = "After how many seconds a sweep is ended; an audit that is not done goes on with the next."
  default     = 300
  nullable    = false

  validation {
    condition     = var.sweeper_timeout >= 30 && var.sweeper_timeout <= 900 && floor(var.sweeper_timeout) == var.sweeper_timeout
    error_message = "sweeper_timeout must be a whole number from 30 to 900."
  }
}

variable "lambda_reserved_concurrency" {
  type        = number
  description = "How many invocations of the manifest builder the account keeps for it, and allows it. -1 reserves none: a new account has ten in all, and lets none be reserved."
  default     = 50
  nullable    = false

  validation {
    condition     = var.lambda_reserved_concurrency == -1 || (var.lambda_reserved_concurrency >= 2 && floor(var.lambda_reserved_concurrency) == var.lambda_reserved_concurrency)
    error_message = "lambda_reserved_concurrency must be -1, or a whole number of at least 2."
  }
}

variable "sweeper_reserved_concurrency" {
  type        = number
  description = "The same of the sweeper: a sweep, an audit beside it, and one by hand. -1 reserves none."
  default     = 3
  nullable    = false

  validation {
    condition     = var.sweeper_reserved_concurrency == -1 || (var.sweeper_reserved_concurrency >= 1 && floor(var.sweeper_reserved_concurrency) == var.sweeper_reserved_concurrency)
    error_message = "sweeper_reserved_concurrency must be -1, or a whole number of at least 1."
  }
}

variable "queue_max_concurrency" {
  type        = number
  description = "How many invocations the queue starts at once. Above the reserved concurrency they would be throttled, and throttled messages end in the dead-letter queue."
  default     = 50
  nullable    = false

  validation {
    condition     = var.queue_max_concurrency >= 2 && var.queue_max_concurrency <= 1000 && floor(var.queue_max_concurrency) == var.queue_max_concurrency
    error_message = "queue_max_concurrency must be a whole number from 2 to 1,000."
  }
  validation {
    condition     = var.lambda_reserved_concurrency == -1 || var.queue_max_concurrency <= var.lambda_reserved_concurrency
    error_message = "queue_max_concurrency must not exceed lambda_reserved_concurrency: throttled polls use up a message's receives."
  }
}

variable "queue_batch_size" {
  type        = number
  description = "How many messages an invocation gets at most."
  default     = 10
  nullable    = false

  validation {
    condition     = var.queue_batch_size >= 1 && var.queue_batch_size <= 10000 && floor(var.queue_batch_size) == var.queue_batch_size
    error_message = "queue_batch_size must be a whole number from 1 to 10,000."
  }
}

variable "queue_batching_window_seconds" {
  type        = number
  description = "How long messages are collected for an invocation. A larger window is cheaper and later."
  default     = 5
  nullable    = false

  validation {
    condition     = var.queue_batching_window_seconds >= 0 && var.queue_batching_window_seconds <= 300 && floor(var.queue_batching_window_seconds) == var.queue_batching_window_seconds
    error_message = "queue_batching_window_seconds must be a whole number from 0 to 300."
  }
  validation {
    condition     = var.queue_batch_size <= 10 || var.queue_batching_window_seconds >= 1
    error_message = "queue_batching_window_seconds must be at least 1 where queue_batch_size is above 10: Lambda demands it."
  }
}

variable "sweep_interval_minutes" {
  type        = number
  description = "How often the sweeper flushes what is due."
  default     = 1
  nullable    = false

  validation {
    condition     = var.sweep_interval_minutes >= 1 && var.sweep_interval_minutes <= 60 && floor(var.sweep_interval_minutes) == var.sweep_interval_minutes
    error_message = "sweep_interval_minutes must be a whole number from 1 to 60."
  }
}

variable "audit_interval_minutes" {
  type        = number
  description = "How often the sweeper also lists the input of recent dates, for events that got lost."
  default     = 60
  nullable    = false

  validation {
    condition     = var.audit_interval_minutes >= 5 && var.audit_interval_minutes <= 1440 && floor(var.audit_interval_minutes) == var.audit_interval_minutes
    error_message = "audit_interval_minutes must be a whole number from 5 to 1,440."
  }
}

# The tables

variable "dynamodb_on_demand" {
  type        = bool
  description = "Whether the tables are paid by the request. Dearer under steady load; nothing to plan for a few files a day."
  default     = false
  nullable    = false
}

variable "dynamodb_read_capacity" {
  type        = number
  description = "Read units a second of the tracking table and of each index, at least."
  default     = 5
  nullable    = false

  validation {
    condition     = var.dynamodb_read_capacity >= 1 && floor(var.dynamodb_read_capacity) == var.dynamodb_read_capacity
    error_message = "dynamodb_read_capacity must be a whole number of at least 1."
  }
}

variable "dynamodb_write_capacity" {
  type        = number
  description = "Write units a second of the tracking table and of each index, at least."
  default     = 25
  nullable    = false

  validation {
    condition     = var.dynamodb_write_capacity >= 1 && floor(var.dynamodb_write_capacity) == var.dynamodb_write_capacity
    error_message = "dynamodb_write_capacity must be a whole number of at least 1."
  }
}

variable "enable_autoscaling" {
  type        = bool
  description = "Whether the tables' and the indexes' capacity follows the load, up to dynamodb_max_read_capacity and dynamodb_max_write_capacity."
  default     = true
  nullable    = false
}

variable "dynamodb_max_read_capacity" {
  type        = number
  description = "Read units a second that autoscaling goes up to."
  default     = 500
  nullable    = false

  validation {
    condition     = var.dynamodb_max_read_capacity >= var.dynamodb_read_capacity
    error_message = "dynamodb_max_read_capacity must not be below dynamodb_read_capacity."
  }
}

variable "dynamodb_max_write_capacity" {
  type        = number
  description = "Write units a second that autoscaling goes up to. A date takes at most 1,000."
  default     = 1000
  nullable    = false

  validation {
    condition     = var.dynamodb_max_write_capacity >= var.dynamodb_write_capacity
    error_message = "dynamodb_max_write_capacity must not be below dynamodb_write_capacity."
  }
}

variable "deletion_protection" {
  type        = bool
  description = "Whether the tables refuse to be deleted, and buckets with objects in them too. Null: in prod."
  default     = null
}

# The Glue job

variable "glue_worker_type" {
  type        = string
  description = "Of the Glue job's workers."
  default     = "G.1X"
  nullable    = false

  validation {
    condition     = contains(["G.1X", "G.2X", "G.4X", "G.8X", "G.12X", "G.16X", "R.1X", "R.2X", "R.4X", "R.8X"], var.glue_worker_type)
    error_message = "glue_worker_type must be one of Glue's, such as G.1X."
  }
}

variable "glue_number_of_workers" {
  type        = number
  description = "How many workers each run has at least, driver included."
  default     = 2
  nullable    = false

  validation {
    condition     = var.glue_number_of_workers >= 2 && floor(var.glue_number_of_workers) == var.glue_number_of_workers
    error_message = "glue_number_of_workers must be a whole number of at least 2."
  }
}

variable "glue_max_workers" {
  type        = number
  description = "A run gets workers by its bytes, up to these."
  default     = 10
  nullable    = false

  validation {
    condition     = var.glue_max_workers >= var.glue_number_of_workers && floor(var.glue_max_workers) == var.glue_max_workers
    error_message = "glue_max_workers must be a whole number, and not below glue_number_of_workers."
  }
}

variable "glue_max_concurrent_runs" {
  type        = number
  description = "How many runs of the job go at once: the job's MaxConcurrentRuns, and the places of the feed's pool in Dagster."
  default     = 2
  nullable    = false

  validation {
    condition     = var.glue_max_concurrent_runs >= 1 && floor(var.glue_max_concurrent_runs) == var.glue_max_concurrent_runs
    error_message = "glue_max_concurrent_runs must be a whole number of at least 1."
  }
}

variable "glue_execution_class" {
  type        = string
  description = "STANDARD, or FLEX: a third cheaper, on spare capacity, so that a run may start late or be ended."
  default     = "STANDARD"
  nullable    = false

  validation {
    condition     = contains(["STANDARD", "FLEX"], var.glue_execution_class)
    error_message = "glue_execution_class must be STANDARD or FLEX."
  }
  validation {
    condition     = var.glue_execution_class == "STANDARD" || contains(["G.1X", "G.2X"], var.glue_worker_type)
    error_message = "glue_execution_class FLEX takes workers of G.1X and G.2X alone."
  }
}

variable "compression_type" {
  type        = string
  description = "How the Parquet is compressed."
  default     = "snappy"
  nullable    = false

  validation {
    condition     = contains(["snappy", "zstd", "gzip", "none"], var.compression_type)
    error_message = "compression_type must be snappy, zstd, gzip or none."
  }
}

variable "output_prefix" {
  type        = string
  description = "The folder above the dates' folders in the output bucket, without slashes at its ends. Empty: none."
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([A-Za-z0-9_.=-]+(/[A-Za-z0-9_.=-]+)*)?$", var.output_prefix))
    error_message = "output_prefix must be empty, or folders with slashes between them alone."
  }
}

variable "max_rejected_fraction" {
  type        = number
  description = "A manifest of which more than this is rejected, by records or by bytes, fails."
  default     = 0.5
  nullable    = false

  validation {
    condition     = var.max_rejected_fraction >= 0 && var.max_rejected_fraction <= 1
    error_message = "max_rejected_fraction must be from 0 to 1."
  }
}

variable "on_missing" {
  type        = string
  description = "What becomes of a manifest with files that can't be read for good: fail loads the others and fails, skip loads the others."
  default     = "fail"
  nullable    = false

  validation {
    condition     = contains(["fail", "skip"], var.on_missing)
    error_message = "on_missing must be fail or skip."
  }
}

variable "schema_mode" {
  type        = string
  description = "Whether the dataset may gain columns: evolve or freeze."
  default     = "evolve"
  nullable    = false

  validation {
    condition     = contains(["evolve", "freeze"], var.schema_mode)
    error_message = "schema_mode must be evolve or freeze."
  }
}

variable "target_file_mb" {
  type        = number
  description = "How large an output file should be."
  default     = 128
  nullable    = false

  validation {
    condition     = var.target_file_mb > 0
    error_message = "target_file_mb must be above 0."
  }
}

variable "record_format" {
  type        = string
  description = "How records follow each other in a file: lines, or auto for objects without line breaks between, pretty-printed ones and arrays."
  default     = "lines"
  nullable    = false

  validation {
    condition     = contains(["lines", "auto"], var.record_format)
    error_message = "record_format must be lines or auto."
  }
}

variable "record_path" {
  type        = string
  description = "Where in each value of a file the records are, such as Records[*]. Empty where each is one itself."
  default     = ""
  nullable    = false

  validation {
    condition     = !startswith(var.record_path, "-") && trimspace(var.record_path) == var.record_path
    error_message = "record_path must be a path such as Records[*], without spaces around it."
  }
}

variable "record_envelope" {
  type        = string
  description = "What becomes of what lies around the records of record_path: drop, or keep as each record's _envelope."
  default     = "drop"
  nullable    = false

  validation {
    condition     = contains(["drop", "keep"], var.record_envelope)
    error_message = "record_envelope must be drop or keep."
  }
}

variable "max_object_members" {
  type        = number
  description = "So many members of one object become columns at most. The others are kept in _rescued."
  default     = 6000
  nullable    = false

  validation {
    condition     = var.max_object_members >= 1 && floor(var.max_object_members) == var.max_object_members
    error_message = "max_object_members must be a whole number of at least 1."
  }
}

variable "max_columns" {
  type        = number
  description = "So many columns the dataset has at most, counted at the leaves. What comes then is kept in _rescued."
  default     = 10000
  nullable    = false

  validation {
    condition     = var.max_columns >= 1 && floor(var.max_columns) == var.max_columns
    error_message = "max_columns must be a whole number of at least 1."
  }
}

# When Dagster launches

variable "launch_min_mb" {
  type        = number
  description = "A date is launched once so many MB of it wait. 0 sets no such bound."
  default     = 0
  nullable    = false

  validation {
    condition     = var.launch_min_mb >= 0
    error_message = "launch_min_mb must not be negative."
  }
}

variable "launch_max_wait_seconds" {
  type        = number
  description = "A date is launched once its oldest manifest waited so long. 0 launches at once, or after 15 minutes where launch_min_mb is set."
  default     = 0
  nullable    = false

  validation {
    condition     = var.launch_max_wait_seconds >= 0
    error_message = "launch_max_wait_seconds must not be negative."
  }
}

variable "asset_owners" {
  type        = list(string)
  description = "Who the feed's assets belong to, as Dagster's UI shows it: e-mail addresses, or team: and a name."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for owner in var.asset_owners : can(regex("^(team:[^,]+|[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+[.][A-Za-z]{2,7})$", owner))])
    error_message = "asset_owners must be e-mail addresses, or team: and a name, such as team:platform."
  }
}

variable "code_url" {
  type        = string
  description = "Where the root of this project lies on a forge, for the UI's links to the code, such as https://github.com/acme/ndjson/blob/main. Empty: no links."
  default     = ""
  nullable    = false

  validation {
    condition     = var.code_url == "" || can(regex("^https?://[^/]+", var.code_url))
    error_message = "code_url must be an address such as https://github.com/acme/ndjson/blob/main."
  }
}

variable "runbook_url" {
  type        = string
  description = "The page that an operator is to read, linked on each asset in the UI. Empty: docs/operations.md below code_url."
  default     = ""
  nullable    = false

  validation {
    condition     = var.runbook_url == "" || can(regex("^https?://[^/]+", var.runbook_url))
    error_message = "runbook_url must be an address such as https://wiki.example.com/ndjson."
  }
}

variable "dagster_url" {
  type        = string
  description = "Where the UI answers, for the links in alerts, such as https://dagster.example.com. Null gives none."
  default     = null

  validation {
    condition     = var.dagster_url == null ? true : can(regex("^https?://[^/]+", var.dagster_url))
    error_message = "dagster_url must be an address such as https://dagster.example.com."
  }
}

# The buckets

variable "existing_buckets" {
  type = object({
    input      = optional(string)
    manifest   = optional(string)
    output     = optional(string)
    quarantine = optional(string)
    scripts    = optional(string)
  })
  description = "Names of buckets that are there already, by their purpose. Nothing of them is changed but the input bucket's notifications; their encryption, policies and lifecycle are their owner's."
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in values(var.existing_buckets) : name == null ? true : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", name))])
    error_message = "existing_buckets must be names of buckets."
  }
  validation {
    condition     = length(distinct([for name in values(var.existing_buckets) : name if name != null])) == length([for name in values(var.existing_buckets) : name if name != null])
    error_message = "existing_buckets must be a bucket of its own for each purpose: a function's rights follow from the bucket."
  }
}

variable "kms_key_arn" {
  type        = string
  description = "A KMS key for buckets, tables, queues, topics and the functions' environment. Its policy must let S3, SNS, EventBridge and CloudWatch of this account use it, as far as they write to the queue or the topic. Null: AWS's own keys."
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be a key's ARN; an alias does not do."
  }
}

variable "input_retention_days" {
  type        = number
  description = "After how many days an input file is deleted. 0 keeps them. What is deleted can't be converted again."
  default     = 90
  nullable    = false

  validation {
    condition     = var.input_retention_days == 0 || (var.input_retention_days >= 8 && floor(var.input_retention_days) == var.input_retention_days)
    error_message = "input_retention_days must be 0, or a whole number of at least 8: a week of trouble must not cost input."
  }
}

variable "report_retention_days" {
  type        = number
  description = "After how many days reports and messages of runs in the manifest bucket are deleted."
  default     = 90
  nullable    = false

  validation {
    condition     = var.report_retention_days >= 3 && floor(var.report_retention_days) == var.report_retention_days
    error_message = "report_retention_days must be a whole number of at least 3."
  }
}

variable "quarantine_retention_days" {
  type        = number
  description = "After how many days refused files and rejected records are deleted. 0 keeps them."
  default     = 0
  nullable    = false

  validation {
    condition     = var.quarantine_retention_days >= 0 && floor(var.quarantine_retention_days) == var.quarantine_retention_days
    error_message = "quarantine_retention_days must be 0 or a whole number."
  }
}

variable "noncurrent_version_days" {
  type        = number
  description = "After how many days a version that was overwritten or deleted is gone for good."
  default     = 30
  nullable    = false

  validation {
    condition     = var.noncurrent_version_days >= 1 && floor(var.noncurrent_version_days) == var.noncurrent_version_days
    error_message = "noncurrent_version_days must be a whole number of at least 1."
  }
}

variable "input_rules" {
  type = object({
    deny_customer_keys = optional(bool, true)
    deny_foreign_keys  = optional(bool, true)
    deny_cold_storage  = optional(bool, true)
    deny_acls          = optional(bool, true)
  })
  description = "What the input bucket refuses, for the pipeline could not read it: objects under a key of the producer's own (SSE-C), under a KMS key other than kms_key_arn, in an archive class, with an ACL of their own."
  default     = {}
  nullable    = false
}

variable "producers" {
  type        = map(string)
  description = "Who writes input, as the ARN of a role or a user, and the folder below input_prefix that it may write to; an empty folder is all of it. A producer of the same account is also kept from the rest of the bucket."
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for principal, _ in var.producers : can(regex("^arn:[^:]+:iam::[0-9]{12}:(role|user)/", principal))])
    error_message = "producers must be ARNs of roles or users."
  }
  validation {
    condition     = alltrue([for _, folder in var.producers : can(regex("^([A-Za-z0-9!_.=-]+/)*$", folder))])
    error_message = "A producer's folder must be empty, or end in a slash, such as orders/."
  }
}

# The events

variable "event_route" {
  type        = string
  description = "How events of the input bucket come to the queue: s3 sends them itself; sns by a topic, where others want them too; eventbridge by a rule."
  default     = "s3"
  nullable    = false

  validation {
    condition     = contains(["s3", "sns", "eventbridge"], var.event_route)
    error_message = "event_route must be s3, sns or eventbridge."
  }
}

variable "manage_input_notifications" {
  type        = bool
  description = "Whether the input bucket's notifications are set here. There is one configuration a bucket: where an existing bucket has others, they would be gone; then false, and its owner adds the queue, the topic or EventBridge."
  default     = true
  nullable    = false
}

variable "redrive_principals" {
  type        = list(string)
  description = "Who, besides S3 and the sweeper, may send to the queue: ARNs of the roles of operators who move messages back from the dead-letter queue. * stands for any characters."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for one in var.redrive_principals : can(regex("^arn:[^:]+:iam::[0-9]{12}:(role|user)/.+", one))])
    error_message = "redrive_principals must be ARNs of roles or users."
  }
}

# Alerts and logs

variable "alert_emails" {
  type        = list(string)
  description = "Who gets alerts and alarms by mail; each confirms once, by a link."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for one in var.alert_emails : can(regex("^[^@\\s]+@[^@\\s]+$", one))])
    error_message = "alert_emails must be mail addresses."
  }
}

variable "log_retention_days" {
  type        = number
  description = "How long the functions' logs are kept."
  default     = 14
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of those that CloudWatch Logs knows, such as 14, 30, 90 or 365."
  }
}

variable "oldest_message_alarm_seconds" {
  type        = number
  description = "Above this the age of the oldest message in the queue is alarmed."
  default     = 900
  nullable    = false

  validation {
    condition     = var.oldest_message_alarm_seconds > 0
    error_message = "oldest_message_alarm_seconds must be above 0."
  }
}

variable "oldest_pending_file_alarm_seconds" {
  type        = number
  description = "Above this the age of the oldest pending file is alarmed. Null: an hour more than a file may wait, which is max_batch_age_seconds, or without it a day."
  default     = null

  validation {
    condition     = var.oldest_pending_file_alarm_seconds == null ? true : var.oldest_pending_file_alarm_seconds > 0
    error_message = "oldest_pending_file_alarm_seconds must be above 0."
  }
}

variable "manifest_wait_grace_seconds" {
  type        = number
  description = "A manifest that waits longer for Glue than launch_min_mb and launch_max_wait_seconds allow, and this besides, is alarmed."
  default     = 3600
  nullable    = false

  validation {
    condition     = var.manifest_wait_grace_seconds >= 300
    error_message = "manifest_wait_grace_seconds must be at least 300: a run takes its minutes."
  }
}
