"""The chart's page says of each value what it is."""

import yaml

from e2e.docs.values import CHART, Value, values

TEXT = """# The first.
a: 1
# Two
# lines.
b:
  c: {}
  # Inner.
  d: [x]
e:
  f: true
"""


def test_a_comment_belongs_to_what_stands_below_it() -> None:
    assert values(TEXT) == [
        Value("a", 1, "The first."),
        Value("b", None, "Two lines."),
        Value("b.c", {}, ""),
        Value("b.d", ["x"], "Inner."),
        Value("e.f", True, ""),
    ]


def test_each_value_of_the_chart_is_explained() -> None:
    found = {one.path: one.meaning for one in values((CHART / "values.yaml").read_text())}
    for path, meaning in found.items():
        above = [path[:at] for at, letter in enumerate(path) if letter == "."]
        assert meaning or any(found.get(one) for one in above), path
    top = yaml.safe_load((CHART / "values.yaml").read_text())
    assert {path.partition(".")[0] for path in found} == top.keys()
