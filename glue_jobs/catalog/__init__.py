"""The dataset's table in the Glue Data Catalog, by which Athena reads it."""
