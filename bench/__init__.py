"""Figures: this service side by side with its peers, written into docs/benchmarks.md by `make bench`."""
