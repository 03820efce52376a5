output "buckets" {
  description = "Of each feed the buckets' names by their purpose: input, manifest, output, quarantine, scripts. Glue's files of the package are uploaded to scripts."
  value       = { for key, feed in module.feed : key => feed.buckets }
}

output "queues" {
  description = "Of each feed the queue of events and the dead-letter queue."
  value = {
    for key, feed in module.feed : key => { events = feed.queue_url, dead_letters = feed.dead_letter_queue_url }
  }
}

output "input_topic_arns" {
  description = "Of each feed the topic of its input bucket's events; null unless event_route is sns."
  value       = { for key, feed in module.feed : key => feed.input_topic_arn }
}

output "functions" {
  description = "Of each feed the functions' names by their component."
  value       = { for key, feed in module.feed : key => feed.functions }
}

output "glue_jobs" {
  description = "Of each feed the conversion job."
  value       = { for key, feed in module.feed : key => feed.glue_job }
}

output "catalogs" {
  description = "Of each feed the database and the table that Athena reads."
  value       = { for key, feed in module.feed : key => feed.catalog }
}

output "alert_topic_arns" {
  description = "Of each feed the topic of alerts and alarms."
  value       = { for key, feed in module.feed : key => feed.alert_topic_arn }
}

output "dashboards" {
  description = "Of each feed the dashboard in CloudWatch."
  value       = { for key, feed in module.feed : key => feed.dashboard }
}
