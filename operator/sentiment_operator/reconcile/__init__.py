"""From a key to a cluster that is as its SentimentService says."""
