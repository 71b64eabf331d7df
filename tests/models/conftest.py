"""What trains a model needs the extra `models` (5 GB); `make model` installs it and runs these first."""

from __future__ import annotations

import importlib.util

collect_ignore = [] if importlib.util.find_spec("torch") else ["test_training.py"]
