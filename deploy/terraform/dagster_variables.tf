variable "deploy_dagster" {
  type        = bool
  description = "Whether the shared Dagster is deployed with the feeds. False where there is one already: the output code_locations says what it needs."
  default     = true
  nullable    = false
}

variable "dagster_image" {
  type        = string
  description = "The image of Dagster's services, with a tag that never moves or a digest. Null: dagster_image_tag of the repository that is made."
  default     = null

  validation {
    condition     = var.dagster_image == null ? true : !endswith(var.dagster_image, ":latest")
    error_message = "dagster_image must have a tag other than latest, or a digest: what latest is changes under running services."
  }
}

variable "dagster_image_tag" {
  type        = string
  description = "The tag of the image in the repository that is made; used where dagster_image is null."
  default     = null

  validation {
    condition     = !var.deploy_dagster || (var.dagster_image == null) != (var.dagster_image_tag == null)
    error_message = "Dagster's services need either dagster_image or dagster_image_tag; or deploy_dagster = false leaves them out."
  }
}

variable "dagster" {
  type = object({
    protect                 = optional(bool)
    one_task                = optional(bool)
    existing_network        = optional(object({ vpc_id = string, subnet_ids = list(string), route_table_ids = optional(list(string), []) }))
    vpc_cidr_block          = optional(string)
    interface_endpoints     = optional(list(string))
    endpoint_zones          = optional(number)
    endpoint_accounts       = optional(list(string))
    nat_gateway             = optional(bool)
    task_egress_cidr_blocks = optional(list(string))
    database = optional(object({
      engine_version = optional(string, "17")
      instance_class = optional(string, "db.t4g.micro")
      storage_gb     = optional(number, 20)
      max_storage_gb = optional(number, 100)
      backup_days    = optional(number, 7)
      multi_az       = optional(bool)
    }))
    kms_key_arn            = optional(string)
    code_server_size       = optional(object({ cpu = number, memory = number }))
    daemon_size            = optional(object({ cpu = number, memory = number }))
    webserver_size         = optional(object({ cpu = number, memory = number }))
    one_task_size          = optional(object({ cpu = number, memory = number }))
    max_concurrent_runs    = optional(number)
    enable_execute_command = optional(bool)
    wait_for_services      = optional(bool)
    log_retention_days     = optional(number)
    alarm_topic_arns       = optional(list(string))
    ui_host                = optional(string)
    ui_read_only_host      = optional(string)
    ui_certificate_arn     = optional(string)
    ui_cidr_blocks         = optional(list(string))
    oidc = optional(object({
      issuer                 = string
      authorization_endpoint = string
      token_endpoint         = string
      user_info_endpoint     = string
      client_id              = string
      client_secret_arn      = string
      scope                  = optional(string, "openid")
      session_seconds        = optional(number, 43200)
      egress_cidr_blocks     = list(string)
    }))
    access_logs = optional(object({ bucket = string, prefix = optional(string) }))
  })
  description = "How the shared Dagster is deployed: the variables of modules/dagster, which says what each is and refuses what makes no sense. What is left out keeps its default there."
  default     = {}
  nullable    = false
}
