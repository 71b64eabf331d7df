"""A checkpoint: what lies in its directory, its weights, its tokenizer, its conversion."""
