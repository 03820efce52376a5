# What it is

variable "environment" {
  type        = string
  description = "The deployment's name, the last part of every name."
  nullable    = false

  validation {
    condition     = contains(["dev", "prod"], var.environment)
    error_message = "environment must be dev or prod."
  }
}

variable "protect" {
  type        = bool
  description = "Whether database and load balancer refuse to be deleted, and the database leaves a last snapshot and has a standby in another zone. Null: in prod."
  default     = null
}

variable "code_locations" {
  type = map(object({
    name        = string
    environment = map(string)
    policy_json = string
  }))
  description = "One code location a feed: its name (ndjson, or ndjson-{feed}), the variables of its process, and what its role may do (a policy document as JSON)."
  nullable    = false

  validation {
    condition     = length(var.code_locations) > 0
    error_message = "code_locations must have at least one; leave the module out where there is none."
  }
  validation {
    condition     = alltrue([for one in var.code_locations : can(regex("^ndjson(-[a-z][a-z0-9-]{0,19})?$", one.name))])
    error_message = "A code location's name must be ndjson, or ndjson- and the feed's name: a small letter and up to 19 small letters, digits and hyphens."
  }
  validation {
    condition     = length(distinct([for one in var.code_locations : one.name])) == length(var.code_locations)
    error_message = "Two code locations have one name."
  }
  validation {
    condition     = !anytrue(flatten([for one in var.code_locations : [for name, _ in one.environment : can(regex("PASSWORD|SECRET_ACCESS_KEY", name))]]))
    error_message = "A code location's environment must hold no password: everybody who may look at a task reads it."
  }
  validation {
    # IAM counts no white space (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html).
    condition     = alltrue([for one in var.code_locations : length(jsonencode(jsondecode(one.policy_json))) <= 6144])
    error_message = "A code location's policy has more than 6,144 characters, which IAM does not take."
  }
}

variable "one_task" {
  type        = bool
  description = "Whether webserver, daemon and code servers are containers of one task. Cheaper; but they share one role and one end. For dev alone."
  default     = false
  nullable    = false

  validation {
    condition     = !(var.one_task && var.environment == "prod")
    error_message = "one_task is for dev alone: webserver and daemon would have the code locations' rights, and a deployment of one feed would stop them all."
  }
}

# The image

variable "image" {
  type        = string
  description = "The image's address, with a tag that never moves or a digest. Null: image_tag of the repository that this module makes."
  default     = null

  validation {
    condition     = var.image == null ? true : can(regex("^[^\\s:@]+(:[0-9]+)?[^\\s:@]*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|@sha256:[0-9a-f]{64})$", var.image)) && !endswith(coalesce(var.image, "-"), ":latest")
    error_message = "image must be an address with a tag other than latest, or with a digest: what latest is changes under running services."
  }
}

variable "image_tag" {
  type        = string
  description = "The tag of the image in the repository that this module makes; used where image is null."
  default     = null

  validation {
    condition     = var.image_tag == null ? true : can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", var.image_tag)) && var.image_tag != "latest"
    error_message = "image_tag must be a tag other than latest: up to 128 letters, digits, _, . and -."
  }
  validation {
    condition     = (var.image == null) != (var.image_tag == null)
    error_message = "Either image or image_tag must be given: the first with a registry of your own, the second with the repository that this module makes."
  }
}

# The network

variable "existing_network" {
  type = object({
    vpc_id          = string
    subnet_ids      = list(string)
    route_table_ids = optional(list(string), [])
  })
  description = "A network that is there: its VPC, private subnets in two zones or more, and their route tables, which get the gateway endpoints of S3 and DynamoDB (none: they have them, or another way out). Null: the module makes its own."
  default     = null

  validation {
    condition     = var.existing_network == null ? true : can(regex("^vpc-", var.existing_network.vpc_id)) && length(distinct(var.existing_network.subnet_ids)) >= 2
    error_message = "existing_network must have a vpc_id such as vpc-0a1b2c3d and at least two subnets: the database and the load balancer stand in two zones."
  }
}

variable "vpc_cidr_block" {
  type        = string
  description = "The addresses of the module's own network. Choose what no network is that is to reach it."
  default     = "10.64.0.0/24"
  nullable    = false

  validation {
    condition     = can(cidrhost(var.vpc_cidr_block, 0)) && can(regex("/(1[6-9]|2[0-4])$", var.vpc_cidr_block))
    error_message = "vpc_cidr_block must be a block of IPv4 between /16 and /24, such as 10.64.0.0/24."
  }
}

variable "interface_endpoints" {
  type        = list(string)
  description = "The services of AWS that are reached by an interface endpoint, as in com.amazonaws.{region}.{service}. Null: all that the processes call. Empty: none, where there is another way out."
  default     = null

  validation {
    condition     = alltrue([for one in coalesce(var.interface_endpoints, []) : can(regex("^[a-z0-9-]+([.][a-z0-9-]+)*$", one))])
    error_message = "interface_endpoints must be names of services such as ecr.api or logs."
  }
}

variable "endpoint_zones" {
  type        = number
  description = "In how many zones each interface endpoint stands. Each costs; one is enough while its zone is up."
  default     = 2
  nullable    = false

  validation {
    condition     = contains([1, 2], var.endpoint_zones)
    error_message = "endpoint_zones must be 1 or 2."
  }
}

variable "endpoint_accounts" {
  type        = list(string)
  description = "Other accounts whose buckets and tables the gateway endpoints let through, besides the deployment's own."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for one in var.endpoint_accounts : can(regex("^[0-9]{12}$", one))])
    error_message = "endpoint_accounts must be account ids of 12 digits."
  }
}

variable "nat_gateway" {
  type        = bool
  description = "Whether the module's own network has a NAT gateway. Nothing of the platform needs it; a load balancer needs it to ask an identity provider in the internet, and the tasks where interface_endpoints is empty."
  default     = false
  nullable    = false

  validation {
    condition     = !(var.nat_gateway && var.existing_network != null)
    error_message = "nat_gateway is of the module's own network; an existing network has its own ways out."
  }
}

variable "task_egress_cidr_blocks" {
  type        = list(string)
  description = "Where the tasks may go by HTTPS besides the endpoints that the module makes: the endpoints of an existing network, say."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for one in var.task_egress_cidr_blocks : can(cidrhost(one, 0))])
    error_message = "task_egress_cidr_blocks must be blocks such as 10.0.0.0/16."
  }
}

# The database

variable "database" {
  type = object({
    engine_version = optional(string, "17")
    instance_class = optional(string, "db.t4g.micro")
    storage_gb     = optional(number, 20)
    max_storage_gb = optional(number, 100)
    backup_days    = optional(number, 7)
    multi_az       = optional(bool)
  })
  description = "PostgreSQL on RDS: its major version, class, gigabytes at first and at most, days of backups, and whether a standby stands in another zone (null: where protected)."
  default     = {}
  nullable    = false

  validation {
    condition     = can(regex("^1[67]([.][0-9]+)?$", var.database.engine_version))
    error_message = "database.engine_version must be 16 or 17, or a minor version of them."
  }
  validation {
    condition     = can(regex("^db[.]", var.database.instance_class))
    error_message = "database.instance_class must be a class such as db.t4g.small."
  }
  validation {
    condition     = var.database.storage_gb >= 20 && var.database.max_storage_gb >= var.database.storage_gb * 1.1
    error_message = "database.storage_gb must be at least 20, and max_storage_gb at least a tenth more: RDS grows by a tenth at once."
  }
  validation {
    condition     = var.database.backup_days >= 1 && var.database.backup_days <= 35
    error_message = "database.backup_days must be between 1 and 35."
  }
}

variable "kms_key_arn" {
  type        = string
  description = "A KMS key for the database, its secret, the log groups and the repository; its policy must let CloudWatch Logs of the region use it. Null: AWS's own keys."
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[^:]+:kms:[^:]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be a key's ARN; an alias does not do."
  }
}

# The services

variable "code_server_size" {
  type        = object({ cpu = number, memory = number })
  description = "Of each code server: CPU units (1024 are a core) and MB. Each run is a process of some 200 MB beside it."
  default     = { cpu = 512, memory = 2048 }
  nullable    = false

  validation {
    condition     = try(contains(local.memory_of_cpu[var.code_server_size.cpu], var.code_server_size.memory), false)
    error_message = "code_server_size must be one of Fargate's: 256 units with 512, 1024 or 2048 MB; 512 with 1024 to 4096; 1024 with 2048 to 8192; 2048 with 4096 to 16384; 4096 with 8192 to 30720, in steps of 1024."
  }
}

variable "daemon_size" {
  type        = object({ cpu = number, memory = number })
  description = "Of the daemon: CPU units and MB."
  default     = { cpu = 512, memory = 1024 }
  nullable    = false

  validation {
    condition     = try(contains(local.memory_of_cpu[var.daemon_size.cpu], var.daemon_size.memory), false)
    error_message = "daemon_size must be one of Fargate's: 256 units with 512, 1024 or 2048 MB; 512 with 1024 to 4096; 1024 with 2048 to 8192; 2048 with 4096 to 16384; 4096 with 8192 to 30720, in steps of 1024."
  }
}

variable "webserver_size" {
  type        = object({ cpu = number, memory = number })
  description = "Of each webserver: CPU units and MB."
  default     = { cpu = 512, memory = 1024 }
  nullable    = false

  validation {
    condition     = try(contains(local.memory_of_cpu[var.webserver_size.cpu], var.webserver_size.memory), false)
    error_message = "webserver_size must be one of Fargate's: 256 units with 512, 1024 or 2048 MB; 512 with 1024 to 4096; 1024 with 2048 to 8192; 2048 with 4096 to 16384; 4096 with 8192 to 30720, in steps of 1024."
  }
}

variable "one_task_size" {
  type        = object({ cpu = number, memory = number })
  description = "Of the one task that has them all: CPU units and MB. Each feed more wants some 1024 MB more."
  default     = { cpu = 1024, memory = 3072 }
  nullable    = false

  validation {
    condition     = try(contains(local.memory_of_cpu[var.one_task_size.cpu], var.one_task_size.memory), false)
    error_message = "one_task_size must be one of Fargate's: 256 units with 512, 1024 or 2048 MB; 512 with 1024 to 4096; 1024 with 2048 to 8192; 2048 with 4096 to 16384; 4096 with 8192 to 30720, in steps of 1024."
  }
}

variable "max_concurrent_runs" {
  type        = number
  description = "How many runs go at once, of all feeds together. Null: as the image's settings say."
  default     = null

  validation {
    condition     = var.max_concurrent_runs == null ? true : var.max_concurrent_runs >= 1 && floor(var.max_concurrent_runs) == var.max_concurrent_runs
    error_message = "max_concurrent_runs must be a whole number of at least 1."
  }
}

variable "enable_execute_command" {
  type        = bool
  description = "Whether a person may open a shell in a container, or a port of it, by ECS Exec. Its agent needs a root file system that can be written."
  default     = false
  nullable    = false
}

variable "wait_for_services" {
  type        = bool
  description = "Whether an apply waits until the services run what it brought, and fails where they were rolled back."
  default     = true
  nullable    = false
}

variable "log_retention_days" {
  type        = number
  description = "How long the services' and the database's logs are kept."
  default     = 14
  nullable    = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of those that CloudWatch Logs knows, such as 14, 30, 90 or 365."
  }
}

variable "alarm_topic_arns" {
  type        = list(string)
  description = "SNS topics that are told when a service does not run, or the database is nearly full."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for one in var.alarm_topic_arns : can(regex("^arn:[^:]+:sns:", one))])
    error_message = "alarm_topic_arns must be ARNs of SNS topics."
  }
}

# The UI

variable "ui_host" {
  type        = string
  description = "The name by which people reach the UI, such as dagster.example.com; you point it at the load balancer. Null: no load balancer, and the UI is reached by ECS Exec alone."
  default     = null

  validation {
    condition     = var.ui_host == null ? true : can(regex("^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)+$", var.ui_host))
    error_message = "ui_host must be a host's name in small letters, such as dagster.example.com, without a scheme or a port."
  }
  validation {
    condition     = var.ui_host == null || (var.ui_certificate_arn != null && length(var.ui_cidr_blocks) > 0)
    error_message = "A UI needs ui_certificate_arn, for it is reached by TLS alone, and ui_cidr_blocks, from where it may be reached."
  }
}

variable "ui_read_only_host" {
  type        = string
  description = "The name of a second UI for viewers, which changes nothing. Null: there is none."
  default     = null

  validation {
    condition     = var.ui_read_only_host == null ? true : can(regex("^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)+$", var.ui_read_only_host))
    error_message = "ui_read_only_host must be a host's name in small letters, without a scheme or a port."
  }
  validation {
    condition     = var.ui_read_only_host == null ? true : var.ui_host != null && var.ui_read_only_host != var.ui_host && !var.one_task
    error_message = "ui_read_only_host needs a ui_host beside it, which is another, and services of their own (one_task = false)."
  }
}

variable "ui_certificate_arn" {
  type        = string
  description = "The certificate of ui_host, and of ui_read_only_host where there is one, in ACM."
  default     = null

  validation {
    condition     = var.ui_certificate_arn == null ? true : can(regex("^arn:[^:]+:(acm|iam):", var.ui_certificate_arn))
    error_message = "ui_certificate_arn must be the ARN of a certificate in ACM."
  }
}

variable "ui_cidr_blocks" {
  type        = list(string)
  description = "From where the load balancer may be reached: the networks of the people who use the UI."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for one in var.ui_cidr_blocks : can(cidrhost(one, 0)) && can(regex("/([89]|[12][0-9]|3[0-2])$", one))])
    error_message = "ui_cidr_blocks must be blocks of IPv4 such as 10.0.0.0/8, none wider than /8: the UI is for a network, not for the world."
  }
}

variable "oidc" {
  type = object({
    issuer                 = string
    authorization_endpoint = string
    token_endpoint         = string
    user_info_endpoint     = string
    client_id              = string
    client_secret_arn      = string
    scope                  = optional(string, "openid")
    session_seconds        = optional(number, 43200)
    egress_cidr_blocks     = list(string)
  })
  description = "The identity provider that people log in at before they reach the UI, with the secret of Secrets Manager whose text is the client's secret, and the addresses at which the load balancer reaches the provider. Null: whoever reaches the load balancer is let in."
  default     = null

  validation {
    condition = var.oidc == null ? true : alltrue([
      for one in [var.oidc.issuer, var.oidc.authorization_endpoint, var.oidc.token_endpoint, var.oidc.user_info_endpoint] : startswith(one, "https://")
    ])
    error_message = "oidc's issuer and endpoints must begin with https://."
  }
  validation {
    condition     = var.oidc == null ? true : can(regex("^arn:[^:]+:secretsmanager:", var.oidc.client_secret_arn))
    error_message = "oidc.client_secret_arn must be the ARN of a secret in Secrets Manager."
  }
  validation {
    condition     = var.oidc == null ? true : length(var.oidc.egress_cidr_blocks) > 0 && alltrue([for one in var.oidc.egress_cidr_blocks : can(cidrhost(one, 0))])
    error_message = "oidc.egress_cidr_blocks must name where the provider answers: the load balancer asks it itself."
  }
  validation {
    condition     = var.oidc == null ? true : var.oidc.session_seconds >= 1 && var.oidc.session_seconds <= 604800
    error_message = "oidc.session_seconds must be between 1 and 604800, which are seven days."
  }
}

variable "access_logs" {
  type        = object({ bucket = string, prefix = optional(string) })
  description = "Where the load balancer writes who asked for what: a bucket whose policy lets it. Null: nowhere."
  default     = null
}
