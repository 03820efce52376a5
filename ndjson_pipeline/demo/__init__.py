"""The demonstration: files go in, Parquet comes out, and every number on the way is checked."""
