"""Where a checkpoint comes from, and how it gets here."""
