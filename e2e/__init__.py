"""Promises to users, on a real cluster."""
