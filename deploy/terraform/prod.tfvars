environment = "prod"

# Who gets alerts and alarms by mail.
# alert_emails = ["data@example.com"]

# What your files have; 0 switches the size check off.
expected_file_size_mb  = 3.5
size_tolerance_percent = 10

# A day's runs: 96 in place of some 2,000. docs/cost.md has the figures.
launch_max_wait_seconds = 900

# Where the UI is, and who may reach it; deploy/README.md says what it needs.
# dagster = {
#   ui_host            = "dagster.example.com"
#   ui_certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/..."
#   ui_cidr_blocks     = ["10.0.0.0/8"]
# }
