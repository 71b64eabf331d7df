"""The article's own Python example, as the documentation quotes it, against a real service."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.client.alone import ENTER

ROOT = Path(__file__).parents[2]


def test_the_articles_example_works_word_for_word(tmp_path: Path) -> None:
    page = (ROOT / "docs/how-to/client.md").read_text()
    [example] = re.findall(r"## The article's example\n.*?```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "example.py").write_text(example)
    done = subprocess.run(
        [*ENTER, sys.executable, "-m", "tests.client.alone", tmp_path / "example.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    printed = re.findall(
        r"文本: (.+)\.\.\.\n情感: (积极|消极|中性) \(置信度: [\d.]+%\)\n-{50}\n", done.stdout
    )
    assert printed == [
        ("服务态度很好,解决问题很快", "积极"),
        ("产品质量一般,没有宣传的那么好", "消极"),
        ("物流速度太慢了,等了一周才到", "消极"),
        ("客服完全不理人,差评", "消极"),
        ("价格实惠,性价比高", "积极"),
    ]
