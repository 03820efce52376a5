# The conversion job.

locals {
  scripts       = "s3://${local.names.scripts}"
  output_folder = var.output_prefix == "" ? "" : "${var.output_prefix}/"

  # Glue's own timeout, in minutes, which the other deadlines follow (ndjson_pipeline/deployment/deadlines.py).
  glue_timeout = 60

  # Nobody who may start a run may change what it is: StartJobRun would be the right to run any code as the job's role
  # otherwise. What a start does give: manifests, identity, attempts, and what Pipes needs.
  fixed_arguments = {
    "--INPUT_BUCKET"                    = local.names.input
    "--INPUT_PREFIX"                    = var.input_prefix
    "--MANIFEST_BUCKET"                 = local.names.manifest
    "--OUTPUT_BUCKET"                   = local.names.output
    "--OUTPUT_PREFIX"                   = var.output_prefix
    "--QUARANTINE_BUCKET"               = local.names.quarantine
    "--COMPRESSION_TYPE"                = var.compression_type
    "--MAX_REJECTED_FRACTION"           = tostring(var.max_rejected_fraction)
    "--ON_MISSING"                      = var.on_missing
    "--SCHEMA_MODE"                     = var.schema_mode
    "--TARGET_FILE_MB"                  = tostring(var.target_file_mb)
    "--CATALOG_DATABASE"                = local.catalog_database
    "--CATALOG_TABLE"                   = local.catalog_table
    "--extra-py-files"                  = "${local.scripts}/${var.glue_files.modules}"
    "--additional-python-modules"       = join(",", [for wheel in var.glue_files.wheels : "${local.scripts}/${wheel}"])
    "--python-modules-installer-option" = var.glue_files.installer_option
    "--job-language"                    = "python"
    "--job-bookmark-option"             = "job-bookmark-disable"
    "--enable-metrics"                  = "true"
  }
}

resource "aws_glue_job" "batch" {
  name              = local.glue_job
  description       = "Turns the files that manifests list into Parquet"
  role_arn          = aws_iam_role.glue.arn
  glue_version      = "5.1"
  worker_type       = var.glue_worker_type
  number_of_workers = var.glue_number_of_workers
  execution_class   = var.glue_is_flexible ? "FLEX" : "STANDARD"
  timeout           = local.glue_timeout
  # Retries belong to the orchestrator alone.
  max_retries = 0

  command {
    name            = "glueetl"
    python_version  = "3"
    script_location = "${local.scripts}/${var.glue_files.script}"
  }

  execution_property {
    max_concurrent_runs = var.glue_max_concurrent_runs
  }

  # An argument without a value would be read as one with the next one's name.
  non_overridable_arguments = { for name, value in local.fixed_arguments : name => value if value != "" }
}

# The table over the output, for Athena. Its partitions are computed; its columns are the job's from then on.

resource "aws_glue_catalog_database" "this" {
  name        = local.catalog_database
  description = "The output of ${local.glue_job}"
}

resource "aws_glue_catalog_table" "output" {
  name          = local.catalog_table
  database_name = aws_glue_catalog_database.this.name
  table_type    = "EXTERNAL_TABLE"

  # As glue_jobs/catalog/definition.py has it; a test compares both.
  parameters = {
    "EXTERNAL"                    = "TRUE"
    "classification"              = "parquet"
    "projection.enabled"          = "true"
    "projection.dt.type"          = "date"
    "projection.dt.format"        = "yyyy-MM-dd"
    "projection.dt.range"         = "${var.partition_start_date},NOW+1DAY"
    "projection.dt.interval"      = "1"
    "projection.dt.interval.unit" = "DAYS"
    "storage.location.template"   = "s3://${local.names.output}/${local.output_folder}merged-parquet-$${dt}/"
    "schema_version"              = "0"
    "left_out"                    = "{}"
  }

  partition_keys {
    name = "dt"
    type = "string"
  }

  storage_descriptor {
    location      = "s3://${local.names.output}/${local.output_folder}"
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
      parameters            = { "serialization.format" = "1" }
    }

    columns {
      name = "_processing_timestamp"
      type = "timestamp"
    }
    columns {
      name = "_source_file"
      type = "string"
    }
  }

  lifecycle {
    # The job brings them to the schema contract.
    ignore_changes = [storage_descriptor[0].columns, parameters["schema_version"], parameters["left_out"]]
  }
}
