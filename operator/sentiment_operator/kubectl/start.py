"""Where `kubectl-sentiment` begins: it imports nothing that the bare wheel lacks."""

import sys


def main() -> int:
    """The command; a library that is not installed is named with what brings it."""
    try:
        from .main import main as run
    except ModuleNotFoundError as error:
        remedy = "pip install 'sentiment-operator[kubectl]'"
        print(f"kubectl sentiment: {error.name} is missing: {remedy}", file=sys.stderr)
        return 1
    return run()
