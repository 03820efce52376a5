# Written by generate.py from modules/feed/settings.tf; change it there.

variable "feeds" {
  type = map(object({
    input_prefix                  = optional(string)
    input_extensions              = optional(list(string))
    date_sources                  = optional(list(string))
    partition_start_date          = optional(string)
    max_files_per_manifest        = optional(number)
    min_files_for_partial_batch   = optional(number)
    expected_file_size_mb         = optional(number)
    size_tolerance_percent        = optional(number)
    lock_ttl_seconds              = optional(number)
    ttl_days                      = optional(number)
    max_batch_age_seconds         = optional(number)
    max_batch_mb                  = optional(number)
    late_flush_seconds            = optional(number)
    refusal_alert_threshold       = optional(number)
    audit_days                    = optional(number)
    lambda_runtime                = optional(string)
    lambda_memory_size            = optional(number)
    lambda_timeout                = optional(number)
    sweeper_timeout               = optional(number)
    lambda_reserved_concurrency   = optional(number)
    sweeper_reserved_concurrency  = optional(number)
    queue_max_concurrency         = optional(number)
    queue_batch_size              = optional(number)
    queue_batching_window_seconds = optional(number)
    sweep_interval_minutes        = optional(number)
    audit_interval_minutes        = optional(number)
    dynamodb_on_demand            = optional(bool)
    dynamodb_read_capacity        = optional(number)
    dynamodb_write_capacity       = optional(number)
    enable_autoscaling            = optional(bool)
    dynamodb_max_read_capacity    = optional(number)
    dynamodb_max_write_capacity   = optional(number)
    deletion_protection           = optional(bool)
    glue_worker_type              = optional(string)
    glue_number_of_workers        = optional(number)
    glue_max_workers              = optional(number)
    glue_max_concurrent_runs      = optional(number)
    glue_execution_class          = optional(string)
    compression_type              = optional(string)
    output_prefix                 = optional(string)
    max_rejected_fraction         = optional(number)
    on_missing                    = optional(string)
    schema_mode                   = optional(string)
    target_file_mb                = optional(number)
    record_format                 = optional(string)
    record_path                   = optional(string)
    record_envelope               = optional(string)
    max_object_members            = optional(number)
    max_columns                   = optional(number)
    launch_min_mb                 = optional(number)
    launch_max_wait_seconds       = optional(number)
    asset_owners                  = optional(list(string))
    code_url                      = optional(string)
    runbook_url                   = optional(string)
    dagster_url                   = optional(string)
    existing_buckets = optional(object({
      input      = optional(string)
      manifest   = optional(string)
      output     = optional(string)
      quarantine = optional(string)
      scripts    = optional(string)
    }))
    kms_key_arn               = optional(string)
    input_retention_days      = optional(number)
    report_retention_days     = optional(number)
    quarantine_retention_days = optional(number)
    noncurrent_version_days   = optional(number)
    input_rules = optional(object({
      deny_customer_keys = optional(bool, true)
      deny_foreign_keys  = optional(bool, true)
      deny_cold_storage  = optional(bool, true)
      deny_acls          = optional(bool, true)
    }))
    producers                         = optional(map(string))
    event_route                       = optional(string)
    manage_input_notifications        = optional(bool)
    redrive_principals                = optional(list(string))
    alert_emails                      = optional(list(string))
    log_retention_days                = optional(number)
    oldest_message_alarm_seconds      = optional(number)
    oldest_pending_file_alarm_seconds = optional(number)
    manifest_wait_grace_seconds       = optional(number)
  }))
  description = "The streams by their names, the one without by \"\". What is set here is of one; else its variable counts."
  default     = { "" = {} }
  nullable    = false

  validation {
    condition = length(var.feeds) > 0 && alltrue([
      for name, _ in var.feeds : can(regex("^([a-z][a-z0-9-]{0,19})?$", name))
    ])
    error_message = "feeds must have one; each name is empty, or a small letter and up to 19 of a-z, 0-9 and -."
  }
}

module "feed" {
  source   = "./modules/feed"
  for_each = var.feeds

  environment       = var.environment
  feed              = each.key
  package_directory = var.package_directory

  input_prefix                      = each.value.input_prefix != null ? each.value.input_prefix : var.input_prefix
  input_extensions                  = each.value.input_extensions != null ? each.value.input_extensions : var.input_extensions
  date_sources                      = each.value.date_sources != null ? each.value.date_sources : var.date_sources
  partition_start_date              = each.value.partition_start_date != null ? each.value.partition_start_date : var.partition_start_date
  max_files_per_manifest            = each.value.max_files_per_manifest != null ? each.value.max_files_per_manifest : var.max_files_per_manifest
  min_files_for_partial_batch       = each.value.min_files_for_partial_batch != null ? each.value.min_files_for_partial_batch : var.min_files_for_partial_batch
  expected_file_size_mb             = each.value.expected_file_size_mb != null ? each.value.expected_file_size_mb : var.expected_file_size_mb
  size_tolerance_percent            = each.value.size_tolerance_percent != null ? each.value.size_tolerance_percent : var.size_tolerance_percent
  lock_ttl_seconds                  = each.value.lock_ttl_seconds != null ? each.value.lock_ttl_seconds : var.lock_ttl_seconds
  ttl_days                          = each.value.ttl_days != null ? each.value.ttl_days : var.ttl_days
  max_batch_age_seconds             = each.value.max_batch_age_seconds != null ? each.value.max_batch_age_seconds : var.max_batch_age_seconds
  max_batch_mb                      = each.value.max_batch_mb != null ? each.value.max_batch_mb : var.max_batch_mb
  late_flush_seconds                = each.value.late_flush_seconds != null ? each.value.late_flush_seconds : var.late_flush_seconds
  refusal_alert_threshold           = each.value.refusal_alert_threshold != null ? each.value.refusal_alert_threshold : var.refusal_alert_threshold
  audit_days                        = each.value.audit_days != null ? each.value.audit_days : var.audit_days
  lambda_runtime                    = each.value.lambda_runtime != null ? each.value.lambda_runtime : var.lambda_runtime
  lambda_memory_size                = each.value.lambda_memory_size != null ? each.value.lambda_memory_size : var.lambda_memory_size
  lambda_timeout                    = each.value.lambda_timeout != null ? each.value.lambda_timeout : var.lambda_timeout
  sweeper_timeout                   = each.value.sweeper_timeout != null ? each.value.sweeper_timeout : var.sweeper_timeout
  lambda_reserved_concurrency       = each.value.lambda_reserved_concurrency != null ? each.value.lambda_reserved_concurrency : var.lambda_reserved_concurrency
  sweeper_reserved_concurrency      = each.value.sweeper_reserved_concurrency != null ? each.value.sweeper_reserved_concurrency : var.sweeper_reserved_concurrency
  queue_max_concurrency             = each.value.queue_max_concurrency != null ? each.value.queue_max_concurrency : var.queue_max_concurrency
  queue_batch_size                  = each.value.queue_batch_size != null ? each.value.queue_batch_size : var.queue_batch_size
  queue_batching_window_seconds     = each.value.queue_batching_window_seconds != null ? each.value.queue_batching_window_seconds : var.queue_batching_window_seconds
  sweep_interval_minutes            = each.value.sweep_interval_minutes != null ? each.value.sweep_interval_minutes : var.sweep_interval_minutes
  audit_interval_minutes            = each.value.audit_interval_minutes != null ? each.value.audit_interval_minutes : var.audit_interval_minutes
  dynamodb_on_demand                = each.value.dynamodb_on_demand != null ? each.value.dynamodb_on_demand : var.dynamodb_on_demand
  dynamodb_read_capacity            = each.value.dynamodb_read_capacity != null ? each.value.dynamodb_read_capacity : var.dynamodb_read_capacity
  dynamodb_write_capacity           = each.value.dynamodb_write_capacity != null ? each.value.dynamodb_write_capacity : var.dynamodb_write_capacity
  enable_autoscaling                = each.value.enable_autoscaling != null ? each.value.enable_autoscaling : var.enable_autoscaling
  dynamodb_max_read_capacity        = each.value.dynamodb_max_read_capacity != null ? each.value.dynamodb_max_read_capacity : var.dynamodb_max_read_capacity
  dynamodb_max_write_capacity       = each.value.dynamodb_max_write_capacity != null ? each.value.dynamodb_max_write_capacity : var.dynamodb_max_write_capacity
  deletion_protection               = each.value.deletion_protection != null ? each.value.deletion_protection : var.deletion_protection
  glue_worker_type                  = each.value.glue_worker_type != null ? each.value.glue_worker_type : var.glue_worker_type
  glue_number_of_workers            = each.value.glue_number_of_workers != null ? each.value.glue_number_of_workers : var.glue_number_of_workers
  glue_max_workers                  = each.value.glue_max_workers != null ? each.value.glue_max_workers : var.glue_max_workers
  glue_max_concurrent_runs          = each.value.glue_max_concurrent_runs != null ? each.value.glue_max_concurrent_runs : var.glue_max_concurrent_runs
  glue_execution_class              = each.value.glue_execution_class != null ? each.value.glue_execution_class : var.glue_execution_class
  compression_type                  = each.value.compression_type != null ? each.value.compression_type : var.compression_type
  output_prefix                     = each.value.output_prefix != null ? each.value.output_prefix : var.output_prefix
  max_rejected_fraction             = each.value.max_rejected_fraction != null ? each.value.max_rejected_fraction : var.max_rejected_fraction
  on_missing                        = each.value.on_missing != null ? each.value.on_missing : var.on_missing
  schema_mode                       = each.value.schema_mode != null ? each.value.schema_mode : var.schema_mode
  target_file_mb                    = each.value.target_file_mb != null ? each.value.target_file_mb : var.target_file_mb
  record_format                     = each.value.record_format != null ? each.value.record_format : var.record_format
  record_path                       = each.value.record_path != null ? each.value.record_path : var.record_path
  record_envelope                   = each.value.record_envelope != null ? each.value.record_envelope : var.record_envelope
  max_object_members                = each.value.max_object_members != null ? each.value.max_object_members : var.max_object_members
  max_columns                       = each.value.max_columns != null ? each.value.max_columns : var.max_columns
  launch_min_mb                     = each.value.launch_min_mb != null ? each.value.launch_min_mb : var.launch_min_mb
  launch_max_wait_seconds           = each.value.launch_max_wait_seconds != null ? each.value.launch_max_wait_seconds : var.launch_max_wait_seconds
  asset_owners                      = each.value.asset_owners != null ? each.value.asset_owners : var.asset_owners
  code_url                          = each.value.code_url != null ? each.value.code_url : var.code_url
  runbook_url                       = each.value.runbook_url != null ? each.value.runbook_url : var.runbook_url
  dagster_url                       = each.value.dagster_url != null ? each.value.dagster_url : var.dagster_url
  existing_buckets                  = each.value.existing_buckets != null ? each.value.existing_buckets : var.existing_buckets
  kms_key_arn                       = each.value.kms_key_arn != null ? each.value.kms_key_arn : var.kms_key_arn
  input_retention_days              = each.value.input_retention_days != null ? each.value.input_retention_days : var.input_retention_days
  report_retention_days             = each.value.report_retention_days != null ? each.value.report_retention_days : var.report_retention_days
  quarantine_retention_days         = each.value.quarantine_retention_days != null ? each.value.quarantine_retention_days : var.quarantine_retention_days
  noncurrent_version_days           = each.value.noncurrent_version_days != null ? each.value.noncurrent_version_days : var.noncurrent_version_days
  input_rules                       = each.value.input_rules != null ? each.value.input_rules : var.input_rules
  producers                         = each.value.producers != null ? each.value.producers : var.producers
  event_route                       = each.value.event_route != null ? each.value.event_route : var.event_route
  manage_input_notifications        = each.value.manage_input_notifications != null ? each.value.manage_input_notifications : var.manage_input_notifications
  redrive_principals                = each.value.redrive_principals != null ? each.value.redrive_principals : var.redrive_principals
  alert_emails                      = each.value.alert_emails != null ? each.value.alert_emails : var.alert_emails
  log_retention_days                = each.value.log_retention_days != null ? each.value.log_retention_days : var.log_retention_days
  oldest_message_alarm_seconds      = each.value.oldest_message_alarm_seconds != null ? each.value.oldest_message_alarm_seconds : var.oldest_message_alarm_seconds
  oldest_pending_file_alarm_seconds = each.value.oldest_pending_file_alarm_seconds != null ? each.value.oldest_pending_file_alarm_seconds : var.oldest_pending_file_alarm_seconds
  manifest_wait_grace_seconds       = each.value.manifest_wait_grace_seconds != null ? each.value.manifest_wait_grace_seconds : var.manifest_wait_grace_seconds
}
