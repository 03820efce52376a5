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
