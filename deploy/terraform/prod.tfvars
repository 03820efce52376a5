environment = "prod"

# Who gets alerts and alarms by mail.
# alert_emails = ["data@example.com"]

# What your files have; 0 switches the size check off.
expected_file_size_mb  = 3.5
size_tolerance_percent = 10
