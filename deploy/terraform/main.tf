# One module a stream. What they share is in dagster.tf and account.tf.

locals {
  # Where alerts lead to: the UI that is deployed here has its name before it is there.
  deployed_url = var.deploy_dagster && var.dagster.ui_host != null ? "https://${var.dagster.ui_host}" : null
  dagster_url  = var.dagster_url != null ? var.dagster_url : local.deployed_url

  # As make package writes it.
  glue_files = jsondecode(file("${var.build_folder}/glue/job.json"))
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
  existing_buckets               = each.value.existing_buckets
  input_days                     = each.value.input_days != null ? each.value.input_days : var.input_days
  report_days                    = each.value.report_days != null ? each.value.report_days : var.report_days
  quarantine_days                = each.value.quarantine_days != null ? each.value.quarantine_days : var.quarantine_days
  noncurrent_days                = each.value.noncurrent_days != null ? each.value.noncurrent_days : var.noncurrent_days
  producers                      = each.value.producers
  input_is_strict                = each.value.input_is_strict != null ? each.value.input_is_strict : var.input_is_strict
  event_route                    = each.value.event_route != null ? each.value.event_route : var.event_route
  max_receive_count              = each.value.max_receive_count != null ? each.value.max_receive_count : var.max_receive_count
  lambda_memory_size             = each.value.lambda_memory_size != null ? each.value.lambda_memory_size : var.lambda_memory_size
  lambda_timeout                 = each.value.lambda_timeout != null ? each.value.lambda_timeout : var.lambda_timeout
  lambda_maximum_concurrency     = each.value.lambda_maximum_concurrency != null ? each.value.lambda_maximum_concurrency : var.lambda_maximum_concurrency
  lambda_reserved_concurrency    = each.value.lambda_reserved_concurrency != null ? each.value.lambda_reserved_concurrency : var.lambda_reserved_concurrency
  lambda_batch_size              = each.value.lambda_batch_size != null ? each.value.lambda_batch_size : var.lambda_batch_size
  lambda_batching_window_seconds = each.value.lambda_batching_window_seconds != null ? each.value.lambda_batching_window_seconds : var.lambda_batching_window_seconds
  sweeper_interval_minutes       = each.value.sweeper_interval_minutes != null ? each.value.sweeper_interval_minutes : var.sweeper_interval_minutes
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
