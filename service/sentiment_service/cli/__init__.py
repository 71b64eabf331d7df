"""The commands for one machine: analyze, doctor, bench."""
