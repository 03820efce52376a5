environment = "prod"

# A day's runs: 96 in place of some 2,000. docs/cost.md has the figures.
launch_max_wait_seconds = 900

# Whom failures wake. Without one nobody hears of them.
# alert_emails = ["data-platform@example.com"]
