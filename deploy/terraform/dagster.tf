# The Dagster that all feeds share. What is null here keeps the module's default.

locals {
  # Where alerts lead to: the UI that is deployed here has its name before it is there.
  deployed_url = var.deploy_dagster && var.dagster.ui_host != null ? "https://${var.dagster.ui_host}" : null
  dagster_url  = var.dagster_url != null ? var.dagster_url : local.deployed_url
}

module "dagster" {
  count  = var.deploy_dagster ? 1 : 0
  source = "./modules/dagster"

  environment    = var.environment
  code_locations = { for key, feed in module.feed : key => feed.code_location }
  image          = var.dagster_image
  image_tag      = var.dagster_image_tag

  protect  = var.dagster.protect
  one_task = var.dagster.one_task

  existing_network        = var.dagster.existing_network
  vpc_cidr_block          = var.dagster.vpc_cidr_block
  interface_endpoints     = var.dagster.interface_endpoints
  endpoint_zones          = var.dagster.endpoint_zones
  endpoint_accounts       = var.dagster.endpoint_accounts
  nat_gateway             = var.dagster.nat_gateway
  task_egress_cidr_blocks = var.dagster.task_egress_cidr_blocks

  database    = var.dagster.database
  kms_key_arn = var.dagster.kms_key_arn

  code_server_size       = var.dagster.code_server_size
  daemon_size            = var.dagster.daemon_size
  webserver_size         = var.dagster.webserver_size
  one_task_size          = var.dagster.one_task_size
  max_concurrent_runs    = var.dagster.max_concurrent_runs
  enable_execute_command = var.dagster.enable_execute_command
  wait_for_services      = var.dagster.wait_for_services
  log_retention_days     = var.dagster.log_retention_days
  # Where nothing else is said, whoever hears of a feed hears of its Dagster.
  alarm_topic_arns = var.dagster.alarm_topic_arns != null ? var.dagster.alarm_topic_arns : [for feed in module.feed : feed.alert_topic_arn]

  ui_host            = var.dagster.ui_host
  ui_read_only_host  = var.dagster.ui_read_only_host
  ui_certificate_arn = var.dagster.ui_certificate_arn
  ui_cidr_blocks     = var.dagster.ui_cidr_blocks
  oidc               = var.dagster.oidc
  access_logs        = var.dagster.access_logs
}
