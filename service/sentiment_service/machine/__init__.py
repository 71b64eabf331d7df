"""`sentiment-service install`: several instances for good, under systemd or supervisor, behind nginx."""
