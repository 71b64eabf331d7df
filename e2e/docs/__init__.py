"""The documentation as a site, and the reference pages that are made of code."""
