# The deployment

variable "environment" {
  type        = string
  description = "The deployment's name, the last part of every name: dev or prod."
  default     = "dev"
  nullable    = false

  validation {
    condition     = contains(["dev", "prod"], var.environment)
    error_message = "environment must be dev or prod."
  }
}

variable "region" {
  type        = string
  description = "The region of everything."
  default     = "us-east-1"
  nullable    = false
}

variable "account" {
  type        = string
  description = "The only account that is deployed into, so that another's credentials do nothing. Null: whichever the credentials are of."
  default     = null

  validation {
    condition     = var.account == null ? true : can(regex("^[0-9]{12}$", var.account))
    error_message = "account must have 12 digits."
  }
}

variable "tags" {
  type        = map(string)
  description = "Tags of everything."
  default     = {}
  nullable    = false
}

variable "build_folder" {
  type        = string
  description = "Where make package has written what is deployed; from the root module's folder, or absolute."
  default     = "../../build"
  nullable    = false
}

# The streams

variable "feeds" {
  type = map(object({
    protect                        = optional(bool)
    kms_key_arn                    = optional(string)
    existing_buckets               = optional(map(string), {})
    input_days                     = optional(number)
    report_days                    = optional(number)
    quarantine_days                = optional(number)
    noncurrent_days                = optional(number)
    producers                      = optional(map(string), {})
    input_is_strict                = optional(bool)
    event_route                    = optional(string)
    max_receive_count              = optional(number)
    lambda_memory_size             = optional(number)
    lambda_timeout                 = optional(number)
    lambda_maximum_concurrency     = optional(number)
    lambda_reserved_concurrency    = optional(number)
    lambda_batch_size              = optional(number)
    lambda_batching_window_seconds = optional(number)
    sweeper_interval_minutes       = optional(number)
    sweeper_memory_size            = optional(number)
    sweeper_timeout                = optional(number)
    log_days                       = optional(number)
    input_prefix                   = optional(string)
    input_extensions               = optional(list(string))
    date_sources                   = optional(list(string))
    partition_start_date           = optional(string)
    max_files_per_manifest         = optional(number)
    min_files_for_partial_batch    = optional(number)
    max_batch_age_seconds          = optional(number)
    max_batch_mb                   = optional(number)
    late_flush_seconds             = optional(number)
    expected_file_size_mb          = optional(number)
    size_tolerance_percent         = optional(number)
    lock_ttl_seconds               = optional(number)
    ttl_days                       = optional(number)
    refusal_alert_threshold        = optional(number)
    audit_days                     = optional(number)
    dynamodb_read_capacity         = optional(number)
    dynamodb_write_capacity        = optional(number)
    dynamodb_max_read_capacity     = optional(number)
    dynamodb_max_write_capacity    = optional(number)
    enable_autoscaling             = optional(bool)
    dynamodb_on_demand             = optional(bool)
    glue_worker_type               = optional(string)
    glue_number_of_workers         = optional(number)
    glue_max_workers               = optional(number)
    glue_max_concurrent_runs       = optional(number)
    glue_is_flexible               = optional(bool)
    compression_type               = optional(string)
    output_prefix                  = optional(string)
    max_rejected_fraction          = optional(number)
    on_missing                     = optional(string)
    launch_min_mb                  = optional(number)
    launch_max_wait_seconds        = optional(number)
    alert_emails                   = optional(list(string))
    oldest_pending_minutes         = optional(number)
    extra_wait_minutes             = optional(number)
  }))
  description = "The streams: by name, what of their settings differs from the variables below. The one without a name is \"\". A second stream is one more entry."
  default     = { "" = {} }
  nullable    = false

  validation {
    condition     = length(var.feeds) > 0 && alltrue([for name in keys(var.feeds) : can(regex("^([a-z][a-z0-9-]{0,19})?$", name))])
    error_message = "feeds must have at least one; a name is a small letter and up to 19 small letters, digits and hyphens, or empty."
  }
}

variable "dagster_url" {
  type        = string
  description = "Where Dagster's UI answers, for the links of alerts, where the root does not deploy it. Null: the deployed one's, or none."
  default     = null
}

# The account

variable "monthly_budget_usd" {
  type        = number
  description = "alert_emails are told once the month's bill is 80 % of this, or is going to exceed it. 0: no budget."
  default     = 0
  nullable    = false

  validation {
    condition     = var.monthly_budget_usd >= 0
    error_message = "monthly_budget_usd must be 0 or more."
  }
}

variable "audit_bucket" {
  type        = string
  description = "A bucket that CloudTrail writes to, with the policy that it wants: who read and wrote each object of the buckets. Costs by the event. Null: no trail."
  default     = null
}
