"""What trains a model needs the extra `models` (5 GB): `make test-torch` and `make model` have it."""

from __future__ import annotations

import importlib.util

collect_ignore = [] if importlib.util.find_spec("torch") else ["test_training.py"]
