# What the deployment is. What may be set of a feed is in settings.tf and feeds.tf.

variable "environment" {
  type        = string
  description = "The last part of every name: dev or prod. In prod nothing that holds data can be deleted, and no function writes test input."
  default     = "dev"
  nullable    = false

  validation {
    condition     = contains(["dev", "prod"], var.environment)
    error_message = "environment must be dev or prod."
  }
}

variable "region" {
  type        = string
  description = "Where everything is. Null: as the shell's AWS settings say."
  default     = null

  validation {
    condition     = var.region == null ? true : can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be a region such as eu-central-1."
  }
}

variable "account_id" {
  type        = string
  description = "The account that it may be deployed to; with another's credentials Terraform stops. Null: any."
  default     = null

  validation {
    condition     = var.account_id == null ? true : can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be 12 digits."
  }
}

variable "tags" {
  type        = map(string)
  description = "Tags of everything, besides project and environment."
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name, _ in var.tags : !contains(["project", "environment"], name) && !startswith(name, "aws:")])
    error_message = "tags must not hold project, environment, nor names that begin with aws:."
  }
}

variable "package_directory" {
  type        = string
  description = "What `make package` wrote."
  default     = "../../build"
  nullable    = false

  validation {
    condition     = alltrue([for file in ["lambda.zip", "glue/job.json"] : fileexists("${var.package_directory}/${file}")])
    error_message = "package_directory has no lambda.zip or no glue/job.json; run make package first."
  }
}

variable "monthly_budget_usd" {
  type        = number
  description = "A month's cost of what bears the project's tag, above which budget_emails are told; at four fifths of it, and where the forecast exceeds it, too. 0 makes no budget. The tag must be activated for cost allocation."
  default     = 0
  nullable    = false

  validation {
    condition     = var.monthly_budget_usd >= 0
    error_message = "monthly_budget_usd must be 0, or an amount."
  }
}

variable "budget_emails" {
  type        = list(string)
  description = "Who is told of the budget."
  default     = []
  nullable    = false

  validation {
    condition     = alltrue([for one in var.budget_emails : can(regex("^[^@\\s]+@[^@\\s]+$", one))])
    error_message = "budget_emails must be mail addresses."
  }
  validation {
    condition     = var.monthly_budget_usd == 0 || length(var.budget_emails) > 0
    error_message = "budget_emails must name somebody where there is a budget."
  }
}

variable "data_trail_bucket" {
  type        = string
  description = "A bucket whose policy lets CloudTrail write, for a trail of who read and wrote objects of the feeds' buckets. Null: no trail. Each event costs."
  default     = null

  validation {
    condition     = var.data_trail_bucket == null ? true : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.data_trail_bucket))
    error_message = "data_trail_bucket must be the name of a bucket."
  }
}
