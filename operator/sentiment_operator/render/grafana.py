"""Grafana's JSON of a dashboard. What a panel relies on is said, for Grafana's defaults are its plug-ins'.

Plain data: the generator library of Grafana costs each operator 11 MB of memory for the same few fields.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_COLUMNS = 24
_HEADER_HEIGHT = 1
Panel = dict[str, Any]
Override = dict[str, Any]
Steps = Sequence[tuple[float | None, str]]  # from this value on (None: from the lowest), this colour


class Query(NamedTuple):
    """PromQL, and the name of each of its series."""

    expression: str
    legend: str


class Row(NamedTuple):
    """Panels of one height side by side, as wide as there is room; a row without title has no header."""

    title: str
    height: int
    panels: Sequence[Panel]


def dashboard_model(uid: str, title: str, since: str, rows: Sequence[Row]) -> dict[str, Any]:
    """The whole dashboard; `since` such as `now-3h`."""
    choice = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"}
    tag = "sentiment-operator"
    others = {
        "title": "Sentiment",
        "type": "dashboards",
        "tags": [tag],
        "asDropdown": True,
        "keepTime": True,
        "includeVars": True,
        "targetBlank": False,
        "icon": "external link",
        "tooltip": "",
    }
    return {
        "uid": uid,
        "title": title,
        "tags": [tag],
        "links": [others],
        "schemaVersion": 39,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": since, "to": "now"},
        # One moment in all panels.
        "graphTooltip": 1,
        "templating": {"list": [choice]},
        "annotations": {"list": []},
        "panels": _laid(rows),
    }


def _laid(rows: Sequence[Row]) -> list[Panel]:
    """Each panel in its place, with an id."""
    placed: list[Panel] = []

    def place(panel: Panel, x: int, y: int, w: int, h: int) -> None:
        position = {"x": x, "y": y, "w": w, "h": h}
        placed.append({"id": len(placed) + 1, **panel, "gridPos": position})

    y = 0
    for row in rows:
        if row.title:
            header = {"type": "row", "title": row.title, "collapsed": False, "panels": []}
            place(header, 0, y, _COLUMNS, _HEADER_HEIGHT)
            y += _HEADER_HEIGHT
        width = _COLUMNS // len(row.panels)
        for column, panel in enumerate(row.panels):
            place(panel, column * width, y, width, row.height)
        y += row.height
    return placed


def stat(
    title: str,
    description: str,
    unit: str,
    expression: str,
    steps: Steps = ((None, "blue"),),
) -> Panel:
    """The last value, large and in the colour of its step, before the line that led there."""
    defaults = {"unit": unit, "min": 0, "color": {"mode": "thresholds"}, "thresholds": _thresholds(steps)}
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "colorMode": "value",
        "graphMode": "area",
        "justifyMode": "auto",
        "textMode": "value",
        "wideLayout": True,
        "orientation": "auto",
        "showPercentChange": False,
        "percentChangeColorMode": "standard",
    }
    return _panel("stat", title, description, defaults, (), options, [Query(expression, title)])


def graph(
    title: str,
    description: str,
    unit: str,
    queries: Sequence[Query],
    *,
    limit: float | None = None,
    room: float | None = None,
    decimals: int | None = None,
    stacked: bool = False,
    overrides: Sequence[Override] = (),
) -> Panel:
    """Lines over time, with the last value of each in the legend.

    `limit` is drawn as a dashed line, `room` is a value that the axis always reaches.
    """
    custom: dict[str, Any] = {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 30 if stacked else 8,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "off" if limit is None else "dashed"},
    }
    if room is not None:
        custom["axisSoftMax"] = room
    defaults = {"unit": unit, "min": 0, "color": {"mode": "palette-classic"}, "custom": custom}
    if limit is not None:
        defaults["thresholds"] = _thresholds(((None, "transparent"), (limit, "red")))
    if decimals is not None:
        defaults["decimals"] = decimals
    options = {
        "legend": {
            "showLegend": True,
            "displayMode": "list",
            "placement": "bottom",
            "calcs": ["lastNotNull"],
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return _panel("timeseries", title, description, defaults, overrides, options, queries)


def table(
    title: str,
    description: str,
    queries: Sequence[Query],
    *,
    columns: Sequence[tuple[str, str]],
    sort: tuple[str, bool],
    overrides: Sequence[Override] = (),
) -> Panel:
    """What holds now, one line for each set of labels.

    `columns`: labels, or a query's legend, each with its heading, from the left; what is not among them is
    not shown. `sort`: the heading that it is sorted by, and whether the largest comes first.
    """
    names = (
        [f"Value #{_reference(number)}" for number in range(len(queries))] if len(queries) > 1 else ["Value"]
    )
    of_query = {query.legend: name for query, name in zip(queries, names, strict=True)}
    shown = {of_query.get(column, column): heading for column, heading in columns}
    defaults = {"custom": {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False}}
    panel = _panel(
        "table",
        title,
        description,
        defaults,
        overrides,
        {
            "frameIndex": 0,
            "showHeader": True,
            "cellHeight": "sm",
            "sortBy": [{"displayName": sort[0], "desc": sort[1]}],
        },
        queries,
    )
    for target in panel["targets"]:
        target |= {"format": "table", "instant": True, "range": False}
    order = {name: place for place, name in enumerate(shown)}
    panel["transformations"] = [
        {"id": "merge", "options": {}},
        {"id": "filterFieldsByName", "options": {"include": {"names": list(shown)}}},
        {"id": "organize", "options": {"indexByName": order, "renameByName": shown}},
    ]
    return panel


def measured(expression: str) -> str:
    """Without NaN, which Prometheus makes of a quantile of nothing, and Grafana shows as a value."""
    return f"{expression} >= 0"


def named(name: str, **properties: Any) -> Override:
    """What holds for the series or the column of this name; `custom__x` stands for `custom.x`."""
    return _override("byName", name, properties)


def matching(pattern: str, **properties: Any) -> Override:
    """What holds for the series whose names match; a later one wins over those before."""
    return _override("byRegexp", f"/{pattern}/", properties)


def fixed(colour: str) -> dict[str, str]:
    """One colour."""
    return {"mode": "fixed", "fixedColor": colour}


def shades(colour: str) -> dict[str, str]:
    """Several series in lighter and darker ones."""
    return {"mode": "shades", "fixedColor": colour}


def coloured(steps: Steps) -> dict[str, Any]:
    """Properties of a column whose numbers have the colours of their steps."""
    return {
        "thresholds": _thresholds(steps),
        "color": {"mode": "thresholds"},
        "custom__cellOptions": {"type": "color-text"},
    }


def _override(matcher: str, what: str, properties: dict[str, Any]) -> Override:
    found = [{"id": name.replace("__", "."), "value": value} for name, value in properties.items()]
    return {"matcher": {"id": matcher, "options": what}, "properties": found}


def _thresholds(steps: Steps) -> dict[str, Any]:
    return {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in steps]}


def _panel(
    kind: str,
    title: str,
    description: str,
    defaults: dict[str, Any],
    overrides: Sequence[Override],
    options: dict[str, Any],
    queries: Sequence[Query],
) -> Panel:
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": list(overrides)},
        "options": options,
        "targets": [
            {
                "refId": _reference(number),
                "datasource": _SOURCE,
                "expr": query.expression,
                "legendFormat": query.legend,
            }
            for number, query in enumerate(queries)
        ],
    }


def _reference(number: int) -> str:
    return chr(ord("A") + number)
