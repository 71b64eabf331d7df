"""A file from its choice to its export: formats, encodings, hostile ones, lost connections, charts."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import threading
import zipfile
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path
from xml.etree import ElementTree

import openpyxl
import pytest
from PIL import Image
from playwright.sync_api import Download, Page, Request, expect

from tests.service.running import Running, wait_for
from tests.web.conftest import Open
from tests.web.files import bomb, endless_line, review_csv, reviews, workbook

pytestmark = pytest.mark.browser
ROWS = 100_000
# Different texts among them, as a text is asked once: the page does all of its work, the service some of it.
DISTINCT = int(os.environ.get("WEB_DISTINCT", "1500"))
MEMORY_LIMIT = 1 << 30  # of a pod, by default
MINUTES_MS = 600_000


def choose(page: Page, file: Path) -> None:
    page.locator("#file").set_input_files(file)


def analyse(page: Page) -> None:
    page.locator("form button[type=submit]").click()


def finish(page: Page) -> None:
    expect(page.locator(".progress[data-phase=done]")).to_be_visible(timeout=MINUTES_MS)


def export(page: Page, name: str) -> tuple[Download, bytes]:
    with page.expect_download(timeout=MINUTES_MS) as waiting:
        page.locator(".exports").get_by_role("button", name=name).click()
    return waiting.value, Path(waiting.value.path()).read_bytes()


def test_encodings_are_found(open_page: Open, tmp_path: Path) -> None:
    page = open_page("batch")
    for encoding in ("utf-8", "utf-8-sig", "gb18030", "utf-16"):
        choose(page, review_csv(tmp_path / f"{encoding}.csv", 20, encoding))
        expect(page.get_by_role("heading", name=f"{encoding}.csv", exact=False)).to_be_visible()
        expect(page.locator("table.preview th.chosen")).to_contain_text("评价内容")
        expect(page.locator("table.preview td.chosen").first).to_have_text(reviews(1)[0][2])
        page.get_by_role("button", name="换一个文件").click()


def test_what_was_found_can_be_changed(open_page: Open, tmp_path: Path) -> None:
    page = open_page("batch", locale="en-GB")
    file = tmp_path / "a.csv"
    file.write_text("好用;很好\n差;太差\n", "gb18030")
    choose(page, file)
    expect(page.get_by_label("Encoding")).to_have_value("gb18030")
    expect(page.get_by_label("Delimiter")).to_have_value(";")
    page.get_by_label("Encoding").select_option("utf-8")
    expect(page.locator("table.preview td").first).to_contain_text("\ufffd")
    page.get_by_label("Encoding").select_option("gb18030")
    expect(page.locator("table.preview td").first).to_have_text("好用")
    page.get_by_label("Delimiter").select_option("")
    expect(page.locator("table.preview td").first).to_have_text("好用;很好")
    page.get_by_label("First row holds names").check()
    expect(page.locator("table.preview th").first).to_contain_text("好用;很好")
    expect(page.locator("table.preview td")).to_have_count(1)
    page.get_by_label("Delimiter").select_option(";")
    page.get_by_label("Text column").select_option("1")
    analyse(page)
    finish(page)
    expect(page.locator(".grid-row .wide").nth(1)).to_have_text("很好")


def test_a_file_can_be_dropped_anywhere(open_page: Open) -> None:
    page = open_page("live")
    dropped = """target => {
      const data = new DataTransfer();
      data.items.add(new File(["评论\\n很好\\n"], "a.csv"));
      const event = (type) => new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true });
      return [event("dragover"), event("drop")].map((one) => target.dispatchEvent(one));
    }"""
    # What is not prevented would open the file in place of the page.
    assert page.locator("header").evaluate(dropped) == [False, False]
    expect(page.locator("table.preview td.chosen")).to_have_text("很好")
    page.get_by_role("button", name="换一个文件").click()
    assert page.locator(".drop").evaluate(dropped) == [False, False]
    expect(page.locator("table.preview td.chosen")).to_have_text("很好")


@pytest.mark.parametrize("kind", ["xlsx", "jsonl", "txt", "csv"])
def test_each_format(open_page: Open, tmp_path: Path, kind: str) -> None:
    texts = ["服务很好，喜欢", "客服不理人，差评", "第一行\n第二行，还不错"]
    content = {
        "xlsx": workbook([["id", "评论"], *([str(i), text] for i, text in enumerate(texts))]),
        "jsonl": "\n".join(json.dumps({"评论": text}) for text in texts).encode(),
        "txt": "\n\n".join(text.replace("\n", "") for text in texts).encode(),
        "csv": ('"评论",x\n' + "\n,\n".join(f'"{text}",1,多余的格' for text in texts)).encode(),
    }[kind]
    file = tmp_path / f"a.{kind}"
    file.write_bytes(content)
    page = open_page("batch")
    choose(page, file)
    expect(page.locator("table.preview td.chosen").first).to_have_text(texts[0])
    analyse(page)
    finish(page)
    expect(page.locator(".progress")).to_contain_text("3 / 3")
    _, data = export(page, "JSON")
    rows = json.loads(data)
    assert [row["analysis"]["sentiment"] for row in rows[:2]] == ["positive", "negative"]
    column = "#1" if kind == "txt" else "评论"
    assert [row[column].replace("\n", "") for row in rows] == [text.replace("\n", "") for text in texts]


def test_a_large_file_end_to_end(open_page: Open, site: Running, tmp_path: Path) -> None:
    """WEB_DISTINCT=100000 for a file without repeats, which takes minutes."""
    page = open_page("batch")
    choose(page, review_csv(tmp_path / "reviews.csv", ROWS, distinct=DISTINCT))
    before = site.metric("structbert_texts_total")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    analyse(page)
    expect(page.locator(".progress[data-phase=running]")).to_be_visible(timeout=MINUTES_MS)
    answered = 0
    while answered < 10:  # others are answered meanwhile
        assert site.analyze("服务很好").status_code == 200
        answered += 1
    assert page.locator(".progress").get_attribute("data-phase") == "running"
    expect(page.locator(".progress")).to_contain_text(re.compile(r"每秒 [\d,]+ 条 · 还需约 \d"))
    memory = [site.metric("structbert_memory_usage_bytes")]
    while page.locator(".progress[data-phase=running]").count():
        memory.append(site.metric("structbert_memory_usage_bytes"))
        page.wait_for_timeout(500)
    finish(page)
    print(f"memory of the service: {max(memory) / (1 << 20):.0f} MiB at most")
    assert max(memory) < MEMORY_LIMIT
    assert site.metric("structbert_texts_total") - before == DISTINCT + answered
    expect(page.locator(".progress")).to_contain_text(f"{ROWS:,} / {ROWS:,}")
    assert not [url for url in requests if "draw-" in url], "charts are loaded when first shown"

    # Virtual rows: few nodes, and the last row is there.
    assert page.locator(".grid-row").count() < 100
    page.locator(".results").evaluate("box => box.scrollTo(0, box.scrollHeight)")
    last = reviews(ROWS, DISTINCT)[-1][2]
    expect(page.locator(".grid-row", has_text=last)).to_be_visible()

    _check_workbook(*export(page, "Excel"))
    _, text = export(page, "CSV")
    assert text.startswith("\ufeff日期,城市,评价内容,情感,".encode())
    assert len(text.decode().splitlines()) == ROWS + 1
    _, text = export(page, "JSON")
    rows = json.loads(text)
    assert len(rows) == ROWS
    assert all("sentiment" in row["analysis"] for row in rows)

    # The charts follow the filter.
    page.get_by_role("button", name="图表").click()
    expect(page.locator(".chart canvas").first).to_be_visible()
    distribution = page.locator(".chart .canvas").first
    expect(distribution).to_have_attribute("aria-label", re.compile("积极: .*消极: "))
    page.get_by_label("按情感筛选").select_option("positive")
    expect(distribution).not_to_have_attribute("aria-label", re.compile("消极"))
    expect(page.locator(".chart .tall")).to_have_attribute(
        "aria-label", re.compile(r"\d"), timeout=MINUTES_MS
    )


def _check_workbook(download: Download, data: bytes) -> None:
    assert download.suggested_filename == "reviews-情感.xlsx"
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        names = book.namelist()
        assert any(name.startswith("xl/charts/chart") for name in names)
        sheet = book.read("xl/worksheets/sheet2.xml").decode()
        assert "<f>" not in sheet
        assert f'<autoFilter ref="A1:H{ROWS + 1}"' in sheet
        assert sheet.count("<row ") == ROWS + 1
        assert re.search(r'<c r="A2"[^>]*s="\d+"[^>]*><v>46\d+', sheet), "dates are dates"
        assert re.search(r'<c r="E2"[^>]*><v>0\.\d+</v>', sheet), "confidence is a number"


def test_every_chart_follows_the_filter_and_is_saved(open_page: Open, tmp_path: Path) -> None:
    page = open_page("batch")
    file = review_csv(tmp_path / "a.csv", 60)
    file.write_text(file.read_text("utf-8-sig").replace("北京", "<b>&'北京"), "utf-8")
    choose(page, file)
    analyse(page)
    finish(page)
    page.get_by_role("button", name="图表").click()
    expect(page.locator(".chart canvas")).to_have_count(6)
    canvases = page.locator(".chart .canvas").all()
    for canvas in canvases:
        expect(canvas).to_have_attribute("aria-label", re.compile(r"\d"))
    labels = [canvas.get_attribute("aria-label") or "" for canvas in canvases]
    page.get_by_label("按情感筛选").select_option("positive")
    for canvas, label in zip(canvases, labels, strict=True):
        expect(canvas).not_to_have_attribute("aria-label", label)
    expect(page.locator(".extremes .tag.positive")).to_have_count(5)
    expect(page.locator(".extremes .tag.negative")).to_have_count(0)
    page.get_by_label("按情感筛选").select_option("")
    for number, chart in enumerate(page.locator(".chart").all()):
        # Chromium drops what goes beyond ten downloads a second.
        for kind in ("SVG", "PNG") if number % 2 else ("SVG",):
            with page.expect_download() as waiting:
                chart.get_by_role("button", name=kind).click()
            data = Path(waiting.value.path()).read_bytes()
            if kind == "SVG":
                drawing = ElementTree.fromstring(data)  # noqa: S314  # what the page itself made
                assert len(list(drawing.iter("{http://www.w3.org/2000/svg}path"))) > 5
            else:
                with Image.open(io.BytesIO(data)) as image:
                    assert image.width > 600  # twice the pixels of the page
                    assert len(image.convert("RGB").getcolors(1 << 24) or []) > 20


class _Line:
    """A way to the service that holds back the rest of each of the first answers, and then breaks."""

    def __init__(self, target: int, breaks: int) -> None:
        self._target = target
        self._breaks = breaks
        self._broken = threading.Event()
        self._answers: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def answered(self) -> list[int]:
        """The rows whose answers came through before."""
        lines = b"".join(self._answers).splitlines(keepends=True)
        return [json.loads(line)["id"] for line in lines if line.startswith(b"{") and line.endswith(b"\n")]

    def holds(self) -> bool:
        return len(self._answers) == self._breaks

    def cut(self) -> None:
        self._broken.set()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._socket.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                threading.Thread(target=self._pump, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._pump, args=(server, client, True), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, answer: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                hold = answer and b'"probabilities"' in data and not self._broken.is_set()
                if hold:  # after the first row: the end of the answer may have come with it
                    data = data[: data.index(b"\n", data.index(b'"probabilities"')) + 1]
                sink.sendall(data)
                if hold:
                    self._answers.append(data)
                    self._broken.wait()
                    break
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.cut()
        self._socket.close()


def test_a_lost_connection_redoes_no_finished_row(open_page: Open, site: Running, tmp_path: Path) -> None:
    count = 600  # two pieces, which go side by side
    sent: list[list[int]] = []

    def note(request: Request) -> None:
        if request.url.endswith("/stream"):
            sent.append([json.loads(line)["id"] for line in (request.post_data or "").splitlines()])

    with closing(_Line(site.http.base_url.port or 0, 2)) as line:
        broken = ("ERR_INCOMPLETE_CHUNKED", "ERR_CONNECTION", "ERR_EMPTY", "Failed to load")
        page = open_page("batch", locale="en-GB", url=f"http://127.0.0.1:{line.port}/", allow=broken)
        page.on("request", note)
        choose(page, review_csv(tmp_path / "a.csv", count))
        analyse(page)
        progress = page.locator(".progress")
        expect(progress).to_have_attribute("data-phase", "running")
        wait_for("both connections held back", line.holds)
        finished = line.answered()
        expect(progress).to_contain_text(f"{len(finished)} / {count}")
        line.cut()
        expect(progress).to_contain_text("finished rows are kept")
        page.get_by_role("button", name="Try now").click()
        finish(page)
    assert finished
    first, again = sent[:2], sent[2:]
    assert sorted(chain(*first)) == list(range(count))
    assert sorted(chain(*again)) == sorted(set(range(count)) - set(finished))
    rows = json.loads(export(page, "JSON")[1])
    assert [row["评价内容"] for row in rows] == [text for _, _, text in reviews(count)]
    assert all("sentiment" in row["analysis"] for row in rows)


def test_stop_keeps_what_is_done_and_continue_does_the_rest(open_page: Open, tmp_path: Path) -> None:
    page = open_page("batch", locale="en-GB", allow=("ERR_ABORTED",))
    choose(page, review_csv(tmp_path / "a.csv", 1100))
    analyse(page)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".progress")).to_have_attribute("data-phase", "stopped")
    page.get_by_role("button", name="Continue").click()
    finish(page)
    expect(page.locator(".progress")).to_contain_text("1,100 / 1,100")


def test_the_same_text_is_asked_once(open_page: Open, site: Running, tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("这条完全一样，好评\n" * 1000, "utf-8")
    before = site.metric("structbert_texts_total")
    page = open_page("batch")
    choose(page, file)
    analyse(page)
    finish(page)
    assert site.metric("structbert_texts_total") - before == 1


def test_errors_are_shown_by_row_and_exported(open_page: Open, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    long = "长" * 600
    file.write_text(f"评论,n\n好用,1\n{long},2\n=1+1很好,3\n<b>差评</b>,4\na\0b很差,5\n\u200b,6\n", "utf-8")
    with file.open("ab") as more:
        more.write("质量很差,7\n".encode("gbk"))
    page = open_page("batch", locale="en-GB")
    choose(page, file)
    analyse(page)
    finish(page)
    expect(page.locator(".progress")).to_contain_text("2 without an answer")
    page.get_by_label("Errors only").check()
    expect(page.locator(".grid-row")).to_have_count(3)
    expect(page.locator(".grid-row").nth(1)).to_contain_text("text_too_long")
    page.get_by_label("Errors only").uncheck()
    assert page.locator("main b").count() == 0
    _, text = export(page, "CSV")
    lines = text.decode("utf-8-sig").splitlines()
    assert "MAX_TEXT_LENGTH" in lines[2]
    assert lines[3].startswith("'=1+1很好,3,")
    page.get_by_text("Problems in the file").click()
    expect(page.locator("details.note")).to_contain_text("Line 8 holds bytes that this encoding cannot read")

    # As another program reads it.
    summary, results = openpyxl.load_workbook(io.BytesIO(export(page, "Excel")[1])).worksheets
    assert len(summary._charts) == 1  # type: ignore[attr-defined]
    assert (results.auto_filter.ref, results.freeze_panes) == ("A1:G8", "A2")
    cells = [cell for row in results.iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} == {"s", "n"}, "no formulas"
    assert [cell.value for cell in results[4]][:2] == ["=1+1很好", 3]
    assert [type(cell.value) for cell in results[2]][:5] == [str, int, str, float, float]


def test_what_is_loaded_later_and_cannot_be_is_said(open_page: Open, tmp_path: Path) -> None:
    """The connection is lost, or another version with other files has taken over."""
    page = open_page("batch", locale="en-GB", allow=("ERR_FAILED",))
    file = review_csv(tmp_path / "a.csv", 3)
    gone = re.compile(r"/assets/(draw|xlsx|parse\.worker|export\.worker)-")
    page.route(gone, lambda route: route.abort())
    choose(page, file)
    expect(page.get_by_role("alert")).to_contain_text("the part that reads files did not load")
    page.unroute(gone)
    choose(page, file)
    analyse(page)
    finish(page)
    page.route(gone, lambda route: route.abort())
    page.get_by_role("button", name="CSV").click()
    expect(page.locator(".exports")).to_contain_text("Not saved (The service does not answer)")
    page.get_by_role("button", name="Charts").click()
    expect(page.get_by_role("alert")).to_contain_text("The charts did not load")
    page.unroute(gone)
    page.get_by_role("button", name="Try now").click()
    expect(page.locator(".chart canvas").first).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    export(page, "CSV")


def test_hostile_files_get_a_clear_message(open_page: Open, tmp_path: Path) -> None:
    page = open_page("batch", locale="en-GB")
    cases = {
        "bomb.xlsx": (bomb(tmp_path / "bomb.xlsx"), "512 MB"),
        "broken.xlsx": (tmp_path / "broken.xlsx", "no sound .xlsx"),
        "old.xls": (tmp_path / "old.xls", "password"),
        "empty.csv": (tmp_path / "empty.csv", "nothing in it"),
    }
    cases["broken.xlsx"][0].write_bytes(workbook([["text"]])[:-200])
    cases["old.xls"][0].write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600)
    cases["empty.csv"][0].write_bytes(b"")
    for name, (file, message) in cases.items():
        choose(page, file)
        expect(page.get_by_role("alert")).to_contain_text(name, timeout=60_000)
        expect(page.get_by_role("alert")).to_contain_text(message, timeout=60_000)
    wide = tmp_path / "wide.csv"
    wide.write_text("很好" + ",x" * 100_000, "utf-8")
    choose(page, wide)
    expect(page.get_by_role("alert")).to_contain_text("more than a thousand columns")
    page.get_by_role("button", name="Another file").click()
    macros = tmp_path / "macros.xlsm"
    rows = [["评论"], ["=HYPERLINK(1)很好"], ["差评"]]
    macros.write_bytes(workbook(rows, {"xl/vbaProject.bin": b"\xd0\xcf\x11\xe0"}))
    choose(page, macros)
    expect(page.locator(".note")).to_contain_text("macros")
    expect(page.locator("table.preview td").first).to_have_text("=HYPERLINK(1)很好")


def test_a_line_of_a_gigabyte_loses_no_other_line(open_page: Open, tmp_path: Path) -> None:
    page = open_page("batch", locale="en-GB")
    choose(page, endless_line(tmp_path / "a.txt"))
    expect(page.locator("table.preview td").first).to_have_text("很好用，喜欢", timeout=MINUTES_MS)
    analyse(page)
    finish(page)
    expect(page.locator(".progress")).to_contain_text("2 / 2")
    page.get_by_text("Problems in the file").click()
    expect(page.locator("details.note")).to_contain_text("Line 2 has more than a million characters")
