output "feeds" {
  description = "Of each stream: buckets, queues, functions, job, topic, table and dashboard."
  value = {
    for name, feed in module.feed : name => {
      buckets         = feed.buckets
      queue_urls      = feed.queue_urls
      functions       = feed.functions
      glue_job        = feed.glue_job
      alert_topic_arn = feed.alert_topic_arn
      catalog_table   = feed.catalog_table
      dashboard       = feed.dashboard
    }
  }
}
