# The conversion job.

locals {
  # Keys in the scripts bucket, as make package writes them.
  packaged        = jsondecode(file("${var.package_directory}/glue/job.json"))
  scripts         = "s3://${local.buckets.scripts}"
  script_location = "${local.scripts}/${local.packaged.script}"
  placed_arguments = {
    "--scriptLocation"                  = local.script_location
    "--extra-py-files"                  = "${local.scripts}/${local.packaged.modules}"
    "--additional-python-modules"       = join(",", [for wheel in local.packaged.wheels : "${local.scripts}/${wheel}"])
    "--python-modules-installer-option" = local.packaged.installer_option
  }

  # All but a run's own: its manifests, its identity and attempts, and Pipes (ndjson_pipeline/glue/runs.py). Whoever
  # may start a run could otherwise have another script or other modules run by this role, or other buckets read.
  # https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-glue-arguments.html
  fixed_arguments = merge(
    {
      "--INPUT_BUCKET"          = local.buckets.input
      "--INPUT_PREFIX"          = var.input_prefix
      "--MANIFEST_BUCKET"       = local.buckets.manifest
      "--OUTPUT_BUCKET"         = local.buckets.output
      "--OUTPUT_PREFIX"         = var.output_prefix == "" ? "/" : var.output_prefix # Left out, it could be given.
      "--QUARANTINE_BUCKET"     = local.buckets.quarantine
      "--COMPRESSION_TYPE"      = var.compression_type
      "--MAX_REJECTED_FRACTION" = tostring(var.max_rejected_fraction)
      "--ON_MISSING"            = var.on_missing
      "--SCHEMA_MODE"           = var.schema_mode
      "--TARGET_FILE_MB"        = tostring(var.target_file_mb)
      "--RECORD_FORMAT"         = var.record_format
      "--RECORD_PATH"           = var.record_path == "" ? "$" : var.record_path # Likewise: the value itself.
      "--RECORD_ENVELOPE"       = var.record_envelope
      "--MAX_OBJECT_MEMBERS"    = tostring(var.max_object_members)
      "--MAX_COLUMNS"           = tostring(var.max_columns)
      "--CATALOG_DATABASE"      = aws_glue_catalog_database.this.name
      "--CATALOG_TABLE"         = local.names.catalog_table
    },
    local.placed_arguments,
    {
      "--job-language"   = "python"
      "--enable-metrics" = "true" # What the alarm and the dashboard show of Glue.
      # Each of these brings code or files of the caller's choice along. A zip is an archive of classes, too, with
      # none in it.
      "--extra-jars"      = local.placed_arguments["--extra-py-files"]
      "--extra-files"     = local.script_location
      "--user-jars-first" = "false"
      "--conf"            = "spark.sql.session.timeZone=UTC"
    },
  )
}

resource "aws_glue_job" "this" {
  name                      = local.names.glue_job
  description               = "Converts manifests of NDJSON files to Parquet"
  role_arn                  = aws_iam_role.this["glue"].arn
  glue_version              = "5.1"
  worker_type               = var.glue_worker_type
  number_of_workers         = var.glue_number_of_workers
  execution_class           = var.glue_execution_class
  max_retries               = 0  # Retries belong to Dagster alone.
  timeout                   = 60 # ndjson_pipeline/deployment/deadlines.py; whatever waits for a run allows for it.
  non_overridable_arguments = local.fixed_arguments

  command {
    name            = "glueetl"
    python_version  = "3"
    script_location = local.script_location
  }

  execution_property {
    max_concurrent_runs = var.glue_max_concurrent_runs
  }

  lifecycle {
    precondition {
      condition = alltrue([
        for purpose in ["manifest", "output"] : local.buckets[purpose] == local.names["${purpose}_bucket"]
      ])
      error_message = "existing_buckets.manifest and existing_buckets.output must bear the pipeline's own names: the code location finds them by these."
    }
  }

  depends_on = [aws_iam_role_policy.this]
}
