from pathlib import Path

import pytest

from tests.torch.checkpoints import build, write_tokenizer


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    build().save_pretrained(tmp_path / "checkpoint")
    write_tokenizer(tmp_path / "checkpoint")
    return tmp_path / "checkpoint"
