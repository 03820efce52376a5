"""The native parser: lines of JSON to Arrow columns at memory speed, by the rules of `glue_jobs.schema`."""
