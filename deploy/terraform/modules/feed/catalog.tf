# The table over the Parquet. Its partitions are computed from the date, so that nobody has to add any:
# https://docs.aws.amazon.com/athena/latest/ug/partition-projection-setting-up.html

resource "aws_glue_catalog_database" "this" {
  name        = local.names.catalog_database
  description = "Parquet of ${local.component} in ${var.environment}"
}

locals {
  dataset_folder = var.output_prefix == "" ? "" : "${var.output_prefix}/"
  # `date` is a word of SQL, to be quoted in every query, and the likelier name of a column in the input.
  partition_key = "dt"
}

resource "aws_glue_catalog_table" "merged_parquet" {
  name          = local.names.catalog_table
  database_name = aws_glue_catalog_database.this.name
  description   = "Converted records, a partition a UTC date"
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    EXTERNAL                                          = "TRUE"
    classification                                    = "parquet"
    "projection.enabled"                              = "true"
    "projection.${local.partition_key}.type"          = "date"
    "projection.${local.partition_key}.format"        = "yyyy-MM-dd"
    "projection.${local.partition_key}.range"         = "${var.partition_start_date},NOW+1DAY"
    "projection.${local.partition_key}.interval"      = "1"
    "projection.${local.partition_key}.interval.unit" = "DAYS"
    "storage.location.template"                       = "s3://${local.buckets.output}/${local.dataset_folder}merged-parquet-$${${local.partition_key}}/"
    schema_version                                    = "0"
    left_out                                          = "{}"
  }

  partition_keys {
    name = local.partition_key
    type = "string"
  }

  storage_descriptor {
    location      = "s3://${local.buckets.output}/${local.dataset_folder}"
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
      parameters            = { "serialization.format" = "1" }
    }

    # What every file has; the job adds the rest as the schema contract grows.
    columns {
      name = "_processing_timestamp"
      type = "timestamp"
    }

    columns {
      name = "_source_file"
      type = "string"
    }
  }

  # The job's from here on: the columns, the contract's version that they follow, and what they leave out.
  lifecycle {
    ignore_changes = [
      storage_descriptor[0].columns,
      parameters["schema_version"],
      parameters["left_out"],
    ]
  }
}
