"""Charts as SVG text. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, LABEL, ROW, TOP = 760, 270, 26, 44
OURS, OTHER, BAR = "#1f77b4", "#9aa5b1", "#d62728"


class Row(NamedTuple):
    label: str
    value: float
    low: float
    high: float
    ours: bool = False


def bars(title: str, rows: Sequence[Row], unit: str, line: tuple[float, str] | None = None) -> str:
    """Horizontal bars with their spread; `line`: a value to reach or not to pass, and its name."""
    most = max([*(row.high for row in rows), line[0] if line else 0.0]) or 1.0
    scale = (WIDTH - LABEL - 110) / most
    height = TOP + ROW * len(rows) + 22
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="13" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="24" font-size="15" font-weight="bold" fill="#222">{escape(title)}</text>',
    ]
    for index, row in enumerate(rows):
        y = TOP + index * ROW
        middle = y + 9
        width, low, high = row.value * scale, LABEL + row.low * scale, LABEL + row.high * scale
        colour = OURS if row.ours else OTHER
        parts += [
            f'<text x="{LABEL - 8}" y="{y + 14}" text-anchor="end" fill="#222">{escape(row.label)}</text>',
            f'<rect x="{LABEL}" y="{y}" width="{width:.1f}" height="18" fill="{colour}"/>',
            f'<path d="M{low:.1f} {middle}H{high:.1f}" stroke="#222" stroke-width="1.5"/>',
            f'<text x="{high + 6:.1f}" y="{y + 14}" fill="#222">{row.value:.3g} {escape(unit)}</text>',
        ]
    if line:
        x = LABEL + line[0] * scale
        bottom = TOP + ROW * len(rows)
        parts += [
            f'<path d="M{x:.1f} {TOP - 6}V{bottom}" stroke="{BAR}" stroke-dasharray="4 3"/>',
            f'<text x="{x:.1f}" y="{bottom + 14}" text-anchor="middle" fill="{BAR}">{escape(line[1])}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


class Line(NamedTuple):
    label: str
    points: Sequence[tuple[float, float]]
    colour: str
    stairs: bool = False
    """A number that stays until the next one."""


def lines(title: str, panels: Sequence[Sequence[Line]], unit: str) -> str:
    """Panels one below the other over the same axis, each with its own scale from 0."""
    tall, left = 150, 46
    width = WIDTH - left - 14
    height = TOP + (tall + 34) * len(panels) + 18
    last = max(x for panel in panels for line in panel for x, _ in line.points) or 1.0
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="13" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="24" font-size="15" font-weight="bold" fill="#222">{escape(title)}</text>',
    ]
    for number, panel in enumerate(panels):
        top = TOP + (tall + 34) * number
        bottom = top + tall
        most = max(y for line in panel for _, y in line.points) or 1.0
        parts += [
            f'<path d="M{left} {top}V{bottom}H{left + width}" fill="none" stroke="#222"/>',
            f'<text x="{left - 6}" y="{top + 10}" text-anchor="end" fill="#222">{most:.3g}</text>',
            f'<text x="{left - 6}" y="{bottom}" text-anchor="end" fill="#222">0</text>',
        ]
        for at, line in enumerate(panel):
            path = ""
            for x, y in line.points:
                across, up = left + x / last * width, bottom - y / most * tall
                step = f"H{across:.1f}" if path and line.stairs else ""
                path += f"{step}{'L' if path else 'M'}{across:.1f} {up:.1f}"
            parts += [
                f'<path d="{path}" fill="none" stroke="{line.colour}" stroke-width="1.8"/>',
                f'<text x="{left + 8 + 190 * at}" y="{bottom + 18}" fill="{line.colour}">'
                f"{escape(line.label)}</text>",
            ]
    place = f'x="{left + width}" y="{height - 8}" text-anchor="end"'
    end = f'<text {place} fill="#222">{last:.0f} {escape(unit)}</text>'
    return "\n".join([*parts, end, "</svg>", ""])


class Point(NamedTuple):
    series: str
    x: float
    y: float
    label: str


_COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#7f7f7f", "#bcbd22")
_HIGH, _LEFT, _RIGHT = 420, 60, 220


def scatter(title: str, points: Sequence[Point], across: str, up: str) -> str:
    """Points by series; a point's label shows when the mouse rests on it."""
    low_x, high_x = min(0.0, *(p.x for p in points)), max(p.x for p in points) * 1.05
    low_y, high_y = min(p.y for p in points) - 0.5, max(p.y for p in points) + 0.5
    series = list(dict.fromkeys(point.series for point in points))

    def place(point: Point) -> tuple[float, float]:
        x = _LEFT + (point.x - low_x) / (high_x - low_x) * (WIDTH - _LEFT - _RIGHT)
        return x, TOP + (high_y - point.y) / (high_y - low_y) * (_HIGH - TOP - 50)

    bottom = _HIGH - 50
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {_HIGH}" '
        'font-family="sans-serif" font-size="12" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{_HIGH}" fill="#ffffff"/>',
        f'<text x="12" y="24" font-size="15" font-weight="bold" fill="#222">{escape(title)}</text>',
        f'<path d="M{_LEFT} {TOP}V{bottom}H{WIDTH - _RIGHT}" fill="none" stroke="#222"/>',
        f'<text x="{_LEFT}" y="{_HIGH - 12}" fill="#222">{escape(across)}, 0 to {high_x:.1f}</text>',
        f'<text x="{_LEFT + 6}" y="{TOP + 4}" fill="#222">{escape(up)}</text>',
    ]
    for step in range(5):
        value = low_y + (high_y - low_y) * step / 4
        _, y = place(Point("", low_x, value, ""))
        parts.append(
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#222">{value:.1f}</text>'
        )
        value = low_x + (high_x - low_x) * step / 4
        x, _ = place(Point("", value, low_y, ""))
        parts.append(
            f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle" fill="#222">{value:.1f}</text>'
        )
    for index, name in enumerate(series):
        colour, y = _COLOURS[index % len(_COLOURS)], TOP + 18 * index
        parts += [
            f'<circle cx="{WIDTH - _RIGHT + 16}" cy="{y}" r="5" fill="{colour}"/>',
            f'<text x="{WIDTH - _RIGHT + 28}" y="{y + 4}" fill="#222">{escape(name)}</text>',
        ]
        for point in points:
            if point.series == name:
                x, height = place(point)
                parts.append(
                    f'<circle cx="{x:.1f}" cy="{height:.1f}" r="5" fill="{colour}">'
                    f"<title>{escape(point.label)}</title></circle>"
                )
    return "\n".join([*parts, "</svg>", ""])
