"""Data plane: answers sentiment requests over HTTP."""

__version__ = "0.1.0"
