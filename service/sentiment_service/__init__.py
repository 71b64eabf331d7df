"""Data plane: answers sentiment requests over HTTP."""
