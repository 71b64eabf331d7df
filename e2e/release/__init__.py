"""What `make release` makes, and what keeps the changelog in order."""
