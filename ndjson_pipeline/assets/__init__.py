"""Assets: raw files, manifests and Parquet, each partitioned by UTC date."""
