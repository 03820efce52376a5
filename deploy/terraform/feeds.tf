# Written by generate.py from modules/feed/settings.tf; change it there.

variable "feeds" {
  type = map(object({
    protect                        = optional(bool)
    kms_key_arn                    = optional(string)
    existing_buckets               = optional(map(string))
    input_days                     = optional(number)
    report_days                    = optional(number)
    quarantine_days                = optional(number)
    noncurrent_days                = optional(number)
    producers                      = optional(map(string))
    input_is_strict                = optional(bool)
    event_route                    = optional(string)
    manage_input_notifications     = optional(bool)
    redrive_principals             = optional(list(string))
    max_receive_count              = optional(number)
    lambda_memory_size             = optional(number)
    lambda_timeout                 = optional(number)
    lambda_maximum_concurrency     = optional(number)
    lambda_reserved_concurrency    = optional(number)
    lambda_batch_size              = optional(number)
    lambda_batching_window_seconds = optional(number)
    sweep_interval_minutes         = optional(number)
    audit_interval_minutes         = optional(number)
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
  description = "The streams, each by its name, and by \"\" the one that has none. What is set here is of one feed; what is not is as the variable of the same name says."
  default     = { "" = {} }
  nullable    = false

  validation {
    condition     = length(var.feeds) > 0 && alltrue([for name, _ in var.feeds : can(regex("^([a-z][a-z0-9-]{0,19})?$", name))])
    error_message = "feeds must have one at least; each is named by \"\", or by a small letter and up to 19 small letters, digits and hyphens."
  }
}

module "feed" {
  source   = "./modules/feed"
  for_each = var.feeds

  environment = var.environment
  feed        = each.key
  lambda_zip  = "${var.build_folder}/lambda.zip"
  glue_files  = local.glue_files
  dagster_url = local.dagster_url

  protect                        = each.value.protect != null ? each.value.protect : var.protect
  kms_key_arn                    = each.value.kms_key_arn != null ? each.value.kms_key_arn : var.kms_key_arn
  existing_buckets               = each.value.existing_buckets != null ? each.value.existing_buckets : var.existing_buckets
  input_days                     = each.value.input_days != null ? each.value.input_days : var.input_days
  report_days                    = each.value.report_days != null ? each.value.report_days : var.report_days
  quarantine_days                = each.value.quarantine_days != null ? each.value.quarantine_days : var.quarantine_days
  noncurrent_days                = each.value.noncurrent_days != null ? each.value.noncurrent_days : var.noncurrent_days
  producers                      = each.value.producers != null ? each.value.producers : var.producers
  input_is_strict                = each.value.input_is_strict != null ? each.value.input_is_strict : var.input_is_strict
  event_route                    = each.value.event_route != null ? each.value.event_route : var.event_route
  manage_input_notifications     = each.value.manage_input_notifications != null ? each.value.manage_input_notifications : var.manage_input_notifications
  redrive_principals             = each.value.redrive_principals != null ? each.value.redrive_principals : var.redrive_principals
  max_receive_count              = each.value.max_receive_count != null ? each.value.max_receive_count : var.max_receive_count
  lambda_memory_size             = each.value.lambda_memory_size != null ? each.value.lambda_memory_size : var.lambda_memory_size
  lambda_timeout                 = each.value.lambda_timeout != null ? each.value.lambda_timeout : var.lambda_timeout
  lambda_maximum_concurrency     = each.value.lambda_maximum_concurrency != null ? each.value.lambda_maximum_concurrency : var.lambda_maximum_concurrency
  lambda_reserved_concurrency    = each.value.lambda_reserved_concurrency != null ? each.value.lambda_reserved_concurrency : var.lambda_reserved_concurrency
  lambda_batch_size              = each.value.lambda_batch_size != null ? each.value.lambda_batch_size : var.lambda_batch_size
  lambda_batching_window_seconds = each.value.lambda_batching_window_seconds != null ? each.value.lambda_batching_window_seconds : var.lambda_batching_window_seconds
  sweep_interval_minutes         = each.value.sweep_interval_minutes != null ? each.value.sweep_interval_minutes : var.sweep_interval_minutes
  audit_interval_minutes         = each.value.audit_interval_minutes != null ? each.value.audit_interval_minutes : var.audit_interval_minutes
  sweeper_memory_size            = each.value.sweeper_memory_size != null ? each.value.sweeper_memory_size : var.sweeper_memory_size
  sweeper_timeout                = each.value.sweeper_timeout != null ? each.value.sweeper_timeout : var.sweeper_timeout
  log_days                       = each.value.log_days != null ? each.value.log_days : var.log_days
  input_prefix                   = each.value.input_prefix != null ? each.value.input_prefix : var.input_prefix
  input_extensions               = each.value.input_extensions != null ? each.value.input_extensions : var.input_extensions
  date_sources                   = each.value.date_sources != null ? each.value.date_sources : var.date_sources
  partition_start_date           = each.value.partition_start_date != null ? each.value.partition_start_date : var.partition_start_date
  max_files_per_manifest         = each.value.max_files_per_manifest != null ? each.value.max_files_per_manifest : var.max_files_per_manifest
  min_files_for_partial_batch    = each.value.min_files_for_partial_batch != null ? each.value.min_files_for_partial_batch : var.min_files_for_partial_batch
  max_batch_age_seconds          = each.value.max_batch_age_seconds != null ? each.value.max_batch_age_seconds : var.max_batch_age_seconds
  max_batch_mb                   = each.value.max_batch_mb != null ? each.value.max_batch_mb : var.max_batch_mb
  late_flush_seconds             = each.value.late_flush_seconds != null ? each.value.late_flush_seconds : var.late_flush_seconds
  expected_file_size_mb          = each.value.expected_file_size_mb != null ? each.value.expected_file_size_mb : var.expected_file_size_mb
  size_tolerance_percent         = each.value.size_tolerance_percent != null ? each.value.size_tolerance_percent : var.size_tolerance_percent
  lock_ttl_seconds               = each.value.lock_ttl_seconds != null ? each.value.lock_ttl_seconds : var.lock_ttl_seconds
  ttl_days                       = each.value.ttl_days != null ? each.value.ttl_days : var.ttl_days
  refusal_alert_threshold        = each.value.refusal_alert_threshold != null ? each.value.refusal_alert_threshold : var.refusal_alert_threshold
  audit_days                     = each.value.audit_days != null ? each.value.audit_days : var.audit_days
  dynamodb_read_capacity         = each.value.dynamodb_read_capacity != null ? each.value.dynamodb_read_capacity : var.dynamodb_read_capacity
  dynamodb_write_capacity        = each.value.dynamodb_write_capacity != null ? each.value.dynamodb_write_capacity : var.dynamodb_write_capacity
  dynamodb_max_read_capacity     = each.value.dynamodb_max_read_capacity != null ? each.value.dynamodb_max_read_capacity : var.dynamodb_max_read_capacity
  dynamodb_max_write_capacity    = each.value.dynamodb_max_write_capacity != null ? each.value.dynamodb_max_write_capacity : var.dynamodb_max_write_capacity
  enable_autoscaling             = each.value.enable_autoscaling != null ? each.value.enable_autoscaling : var.enable_autoscaling
  dynamodb_on_demand             = each.value.dynamodb_on_demand != null ? each.value.dynamodb_on_demand : var.dynamodb_on_demand
  glue_worker_type               = each.value.glue_worker_type != null ? each.value.glue_worker_type : var.glue_worker_type
  glue_number_of_workers         = each.value.glue_number_of_workers != null ? each.value.glue_number_of_workers : var.glue_number_of_workers
  glue_max_workers               = each.value.glue_max_workers != null ? each.value.glue_max_workers : var.glue_max_workers
  glue_max_concurrent_runs       = each.value.glue_max_concurrent_runs != null ? each.value.glue_max_concurrent_runs : var.glue_max_concurrent_runs
  glue_is_flexible               = each.value.glue_is_flexible != null ? each.value.glue_is_flexible : var.glue_is_flexible
  compression_type               = each.value.compression_type != null ? each.value.compression_type : var.compression_type
  output_prefix                  = each.value.output_prefix != null ? each.value.output_prefix : var.output_prefix
  max_rejected_fraction          = each.value.max_rejected_fraction != null ? each.value.max_rejected_fraction : var.max_rejected_fraction
  on_missing                     = each.value.on_missing != null ? each.value.on_missing : var.on_missing
  launch_min_mb                  = each.value.launch_min_mb != null ? each.value.launch_min_mb : var.launch_min_mb
  launch_max_wait_seconds        = each.value.launch_max_wait_seconds != null ? each.value.launch_max_wait_seconds : var.launch_max_wait_seconds
  alert_emails                   = each.value.alert_emails != null ? each.value.alert_emails : var.alert_emails
  oldest_pending_minutes         = each.value.oldest_pending_minutes != null ? each.value.oldest_pending_minutes : var.oldest_pending_minutes
  extra_wait_minutes             = each.value.extra_wait_minutes != null ? each.value.extra_wait_minutes : var.extra_wait_minutes
}
