variable "environment" {
  type        = string
  description = "The deployment's name, the last part of every name."
  nullable    = false

  validation {
    condition     = contains(["dev", "prod"], var.environment)
    error_message = "environment must be dev or prod."
  }
}

variable "feed" {
  type        = string
  description = "The stream's name, behind the leading ndjson of every name. Empty: the stream that has none."
  default     = ""
  nullable    = false

  validation {
    condition     = can(regex("^([a-z][a-z0-9-]{0,19})?$", var.feed))
    error_message = "feed must be empty, or a small letter and up to 19 small letters, digits and hyphens."
  }
  validation {
    condition     = var.feed != "glue"
    error_message = "feed must not be glue: the pool of the feed without a name is called so, and both would share its places."
  }
}

variable "lambda_zip" {
  type        = string
  description = "The path of the Lambdas' archive, as make package writes it."
  nullable    = false
}

variable "glue_files" {
  type = object({
    script  = string
    modules = string
    wheels  = list(string)

    installer_option = string
  })
  description = "Keys in the scripts bucket, as make package writes them to build/glue/job.json: the script, its own modules, and the wheels of others with what pip is told of them."
  nullable    = false
}

variable "dagster_url" {
  type        = string
  description = "NDJSON_DAGSTER_URL: where Dagster's UI answers, for the links of alerts. Null: they have none."
  default     = null

  validation {
    condition     = var.dagster_url == null ? true : can(regex("^https?://", var.dagster_url))
    error_message = "dagster_url must be an address such as https://dagster.example.com."
  }
}
