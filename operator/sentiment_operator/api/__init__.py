"""Typed kinds of the group sentiment-operator.io, and the CRDs generated from them."""
