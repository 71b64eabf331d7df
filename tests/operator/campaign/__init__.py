"""The fault campaign: the operator between a real API server and a proxy that misbehaves."""
