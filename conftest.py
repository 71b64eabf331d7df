"""What may run beside what: `make test` has two workers.

Tests that share a cluster, an API server or a browser stay together; others go by file. The longest come
first, so that none is left alone at the end.
"""

import pytest

_TOGETHER = ("e2e", "api", "browser")


def _group(item: pytest.Item) -> str:
    # A cluster of its own needs not wait for the one that is shared.
    if "cluster" in getattr(item, "fixturenames", ()):
        return "e2e"
    return next((name for name in _TOGETHER[1:] if item.get_closest_marker(name)), item.path.name)


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.xdist_group(_group(item)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    if (group := _group(item)) in _TOGETHER:
        return _TOGETHER.index(group)
    own_node = item.path.parent.name == "e2e"
    return len(_TOGETHER) + (not own_node)
