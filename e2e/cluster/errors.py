"""The one error a user of the cluster commands sees: what is wrong and what to do."""


class ClusterError(Exception):
    """A plain sentence with its remedy; printed without a traceback."""
