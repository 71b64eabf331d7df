"""Control plane: turns SentimentService objects into running services."""
