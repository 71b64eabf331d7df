"""Files as people bring them."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

_GOOD = ["屏幕很好，颜色漂亮", "服务态度很好，解决问题很快", "价格实惠，性价比高", "物流神速，第二天就到了"]
_BAD = [
    "电池太差，用半天就没电",
    "客服完全不理人，差评",
    "物流太慢了，等了一周",
    "质量很差，没有宣传的那么好",
]
_CITIES = ["北京", "上海", "广州", "成都"]


def reviews(count: int, distinct: int | None = None) -> list[tuple[str, str, str]]:
    """Date, city and text of `count` reviews, the same every time; after `distinct` texts they come again."""
    chance = random.Random(1)
    rows: list[tuple[str, str, str]] = []
    for number in range(count):
        day = f"2026-{chance.randint(1, 6):02d}-{chance.randint(1, 28):02d}"
        city = chance.choice(_CITIES)
        text = f"{chance.choice(_GOOD + _BAD)}，第{number}单"
        rows.append((day, city, rows[number - distinct][2] if distinct and number >= distinct else text))
    return rows


def review_csv(path: Path, count: int, encoding: str = "utf-8-sig", *, distinct: int | None = None) -> Path:
    rows = ["日期,城市,评价内容", *(",".join(row) for row in reviews(count, distinct))]
    path.write_text("\r\n".join(rows) + "\r\n", encoding, newline="")
    return path


def workbook(rows: list[list[str]], extra: dict[str, bytes] | None = None) -> bytes:
    """A small .xlsx, as any other program writes it; `extra` adds parts."""
    cells = "".join(
        f"<row r='{number}'>"
        + "".join(f"<c t='inlineStr'><is><t>{escape(cell)}</t></is></c>" for cell in row)
        + "</row>"
        for number, row in enumerate(rows, 1)
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    parts = {
        "[Content_Types].xml": f"<Types xmlns='{package}/content-types'>"
        "<Default Extension='rels' ContentType='application/vnd.openxmlformats-package.relationships+xml'/>"
        "<Default Extension='xml' ContentType='application/xml'/>"
        "<Override PartName='/xl/workbook.xml' ContentType='application/vnd.openxmlformats-officedocument."
        "spreadsheetml.sheet.main+xml'/>"
        "<Override PartName='/xl/worksheets/sheet1.xml' ContentType='application/vnd.openxmlformats-"
        "officedocument.spreadsheetml.worksheet+xml'/></Types>",
        "_rels/.rels": f"<Relationships xmlns='{package}/relationships'>"
        f"<Relationship Id='r1' Type='{relations}/officeDocument' Target='xl/workbook.xml'/></Relationships>",
        "xl/workbook.xml": f"<workbook xmlns='{main}' xmlns:r='{relations}'>"
        "<sheets><sheet name='Sheet1' sheetId='1' r:id='r1'/></sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f"<Relationships xmlns='{package}/relationships'>"
        f"<Relationship Id='r1' Type='{relations}/worksheet' Target='worksheets/sheet1.xml'/>"
        "</Relationships>",
        "xl/worksheets/sheet1.xml": f"<worksheet xmlns='{main}'><sheetData>{cells}</sheetData></worksheet>",
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
        for name, data in (extra or {}).items():
            archive.writestr(name, data)
    return buffer.getvalue()


def bomb(path: Path) -> Path:
    """A workbook of about 1 MB whose sheet unpacks to 600 MB."""
    path.write_bytes(workbook([["text"]]))
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("xl/sharedStrings.xml", "w") as part,
    ):
        for _ in range(600):
            part.write(b" " * (1 << 20))
    return path


def endless_line(path: Path, size: int = 1 << 30) -> Path:
    """Three lines, the second of which has `size` bytes. Sparse: what is not written reads as NULs."""
    with path.open("wb") as file:
        file.write("很好用，喜欢\n".encode())
        file.seek(size, io.SEEK_CUR)
        file.write("\n太差了，退货\n".encode())
    return path
