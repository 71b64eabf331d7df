from sentiment_operator.api.generate import generated


def test_generated_files_are_current() -> None:
    stale = [path.name for path, text in generated().items() if not path.exists() or path.read_text() != text]
    assert stale == [], "run `make generate`"
