# What every feed has, where its entry in `feeds` says nothing else. Each is the module's own variable; it checks them.

variable "protect" {
  type        = bool
  description = "Whether tables refuse to be deleted, and buckets that hold objects too. Null: in prod."
  default     = null
}

variable "kms_key_arn" {
  type        = string
  description = "A key of your own that encrypts buckets, queues, tables and topic. Its policy has to let the roles of this module use it, and S3, SNS, EventBridge and CloudWatch send. Null: the services' own keys."
  default     = null
}

variable "input_days" {
  type        = number
  description = "After so many days an input file is removed; for so long a date can be converted again. 0: never."
  default     = 30
  nullable    = false
}

variable "report_days" {
  type        = number
  description = "After so many days reports, and what runs told on the way, are removed from the manifest bucket; at least 2, for an attempt may take a day."
  default     = 30
  nullable    = false
}

variable "quarantine_days" {
  type        = number
  description = "After so many days refused files and rejected records are removed. 0: never."
  default     = 90
  nullable    = false
}

variable "noncurrent_days" {
  type        = number
  description = "After so many days former versions of an object are removed, where versions are kept."
  default     = 7
  nullable    = false
}

variable "input_is_strict" {
  type        = bool
  description = "Whether the input bucket refuses what could not be read or would cost: objects under a customer's key (SSE-C), under a foreign KMS key, in a cold storage class, or with an ACL."
  default     = true
  nullable    = false
}

variable "event_route" {
  type        = string
  description = "How S3's events reach the queue: s3 (straight), sns (by a topic, which others may subscribe), eventbridge (by a rule)."
  default     = "s3"
  nullable    = false
}

variable "max_receive_count" {
  type        = number
  description = "After so many receives SQS moves a message to the dead-letter queue."
  default     = 3
  nullable    = false
}

variable "lambda_memory_size" {
  type        = number
  description = "Memory of the manifest builder, in MB; CPU follows it."
  default     = 256
  nullable    = false
}

variable "lambda_timeout" {
  type        = number
  description = "After so many seconds an invocation of the manifest builder is ended; the queue hides a message six times as long."
  default     = 60
  nullable    = false
}

variable "lambda_maximum_concurrency" {
  type        = number
  description = "So many manifest builders work at once."
  default     = 10
  nullable    = false
}

variable "lambda_reserved_concurrency" {
  type        = number
  description = "Taken from the account's concurrency for the manifest builder; not below lambda_maximum_concurrency, or throttled polls use up receives. -1: none is reserved."
  default     = 10
  nullable    = false
}

variable "lambda_batch_size" {
  type        = number
  description = "So many messages an invocation is given at most."
  default     = 10
  nullable    = false
}

variable "lambda_batching_window_seconds" {
  type        = number
  description = "So long SQS waits for a batch to fill; it must not be 0 for more than ten messages."
  default     = 1
  nullable    = false
}

variable "sweeper_interval_minutes" {
  type        = number
  description = "The sweeper is called once in so many minutes."
  default     = 5
  nullable    = false
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
}

variable "log_days" {
  type        = number
  description = "So many days CloudWatch keeps the Lambdas' logs."
  default     = 14
  nullable    = false
}

variable "input_prefix" {
  type        = string
  description = "INPUT_PREFIX: what every input key begins with."
  default     = "pipeline/input/"
  nullable    = false
}

variable "input_extensions" {
  type        = list(string)
  description = "INPUT_EXTENSIONS: what the name of an input file ends in, one of these."
  default     = [".ndjson", ".ndjson.gz"]
  nullable    = false
}

variable "date_sources" {
  type        = list(string)
  description = "DATE_SOURCES: where a file's date is looked for, in this order: name, path, arrival."
  default     = ["name"]
  nullable    = false
}

variable "partition_start_date" {
  type        = string
  description = "PARTITION_START_DATE: files of earlier dates are refused; the first partition."
  default     = "2025-01-01"
  nullable    = false
}

variable "max_files_per_manifest" {
  type        = number
  description = "MAX_FILES_PER_MANIFEST: a batch is cut at so many pending files."
  default     = 10
  nullable    = false
}

variable "min_files_for_partial_batch" {
  type        = number
  description = "MIN_FILES_FOR_PARTIAL_BATCH: a past date is flushed at so many."
  default     = 1
  nullable    = false
}

variable "max_batch_age_seconds" {
  type        = number
  description = "MAX_BATCH_AGE_SECONDS: a batch is cut once its oldest file is so old. 0: never."
  default     = 0
  nullable    = false
}

variable "max_batch_mb" {
  type        = number
  description = "MAX_BATCH_MB: a batch is cut before it exceeds so much. 0: never."
  default     = 0
  nullable    = false
}

variable "late_flush_seconds" {
  type        = number
  description = "LATE_FLUSH_SECONDS: a past date of which something was cut less than this ago waits for a full batch."
  default     = 60
  nullable    = false
}

variable "expected_file_size_mb" {
  type        = number
  description = "EXPECTED_FILE_SIZE_MB: files of another size are refused. 0: of any size are taken."
  default     = 3.5
  nullable    = false
}

variable "size_tolerance_percent" {
  type        = number
  description = "SIZE_TOLERANCE_PERCENT: how far a size may lie from the expected, either way."
  default     = 10
  nullable    = false
}

variable "lock_ttl_seconds" {
  type        = number
  description = "LOCK_TTL_SECONDS: how long a date's lock lives without its holder."
  default     = 300
  nullable    = false
}

variable "ttl_days" {
  type        = number
  description = "TTL_DAYS: how long a record lives after it has ended."
  default     = 30
  nullable    = false
}

variable "refusal_alert_threshold" {
  type        = number
  description = "REFUSAL_ALERT_THRESHOLD: so many refused files within an hour are alerted. 0: never."
  default     = 10
  nullable    = false
}

variable "audit_days" {
  type        = number
  description = "AUDIT_DAYS: how many dates before today the sweeper's audit lists."
  default     = 3
  nullable    = false
}

variable "dynamodb_read_capacity" {
  type        = number
  description = "Read units of each table and index; the least, where they scale."
  default     = 5
  nullable    = false
}

variable "dynamodb_write_capacity" {
  type        = number
  description = "Write units of each table and index; the least, where they scale."
  default     = 25
  nullable    = false
}

variable "dynamodb_max_read_capacity" {
  type        = number
  description = "The most read units that the tracking table and each index scale to."
  default     = 200
  nullable    = false
}

variable "dynamodb_max_write_capacity" {
  type        = number
  description = "The most write units that the tracking table and each index scale to."
  default     = 1000
  nullable    = false
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

variable "glue_worker_type" {
  type        = string
  description = "GLUE_WORKER_TYPE: of the job's workers."
  default     = "G.1X"
  nullable    = false
}

variable "glue_number_of_workers" {
  type        = number
  description = "GLUE_NUMBER_OF_WORKERS: a run is given at least so many, driver included."
  default     = 2
  nullable    = false
}

variable "glue_max_workers" {
  type        = number
  description = "GLUE_MAX_WORKERS: a run is given at most so many, driver included."
  default     = 10
  nullable    = false
}

variable "glue_max_concurrent_runs" {
  type        = number
  description = "GLUE_MAX_CONCURRENT_RUNS: so many runs go at once, in Glue and in Dagster's pool."
  default     = 2
  nullable    = false
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
}

variable "output_prefix" {
  type        = string
  description = "--OUTPUT_PREFIX: a folder of the output bucket, without slashes around it. Empty: none."
  default     = ""
  nullable    = false
}

variable "max_rejected_fraction" {
  type        = number
  description = "--MAX_REJECTED_FRACTION: a manifest fails where more of its records are rejected. 1: it never does."
  default     = 0.5
  nullable    = false
}

variable "on_missing" {
  type        = string
  description = "--ON_MISSING: what becomes of a manifest that lists a file which can't be read for good: fail (the manifest, once the others are read) or skip."
  default     = "fail"
  nullable    = false
}

variable "launch_min_mb" {
  type        = number
  description = "LAUNCH_MIN_MB: a date is launched once so much of it waits. 0: no such bound."
  default     = 0
  nullable    = false
}

variable "launch_max_wait_seconds" {
  type        = number
  description = "LAUNCH_MAX_WAIT_SECONDS: a date is launched once its oldest manifest waited so long. 0: at once."
  default     = 0
  nullable    = false
}

variable "alert_emails" {
  type        = list(string)
  description = "Addresses that the alert topic is sent to; each has to confirm the mail that AWS sends."
  default     = []
  nullable    = false
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
