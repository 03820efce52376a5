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

variable "feed" {
  type        = string
  description = "The stream's name, as NDJSON_FEED has it; empty for the one that has none."
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

variable "package_directory" {
  type        = string
  description = "What `make package` wrote: lambda.zip, and glue/job.json, which says what the Glue job is given of the scripts bucket."
  nullable    = false

  validation {
    condition     = alltrue([for file in ["lambda.zip", "glue/job.json"] : fileexists("${var.package_directory}/${file}")])
    error_message = "package_directory has no lambda.zip or no glue/job.json; run make package first."
  }
}
