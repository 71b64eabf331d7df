"""From texts to probabilities: package, tokens, batches, engine, lifecycle."""
