"""The tokenizer.json that cuts texts exactly as the checkpoint's own (slow) BertTokenizer does.

The library's BertNormalizer and BertPreTokenizer carry Unicode tables of their own, older than Python's, and
leave a block of ideographs out. So the classes that decide are written out here from Python's tables. What is
left: where accents are kept, two combining marks in a row, one of them newer than the library's tables, may
change places.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from sentiment_models.checkpoint.layout import Checkpoint, tokenizer_settings
from sentiment_models.faults import CheckpointIncomplete, CheckpointUnreadable, VocabularyMismatch

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDPIECE = ("bert", "distilbert", "electra", "ernie", "albert")
IDEOGRAPHS = (
    r"\x{4E00}-\x{9FFF}\x{3400}-\x{4DBF}\x{20000}-\x{2A6DF}\x{2A700}-\x{2B73F}\x{2B740}-\x{2B81F}"
    r"\x{2B820}-\x{2CEAF}\x{F900}-\x{FAFF}\x{2F800}-\x{2FA1F}"
)

_CASED = r"\p{Lu}\p{Ll}\p{Lt}"
FINAL_SIGMA = rf"(?<=[{_CASED}])Σ(?![\p{{Mn}}'.:·]*[{_CASED}])"


def build(checkpoint: Checkpoint) -> Any:
    """A `tokenizers.Tokenizer`; VocabularyMismatch when it does not fit the embedding."""
    from tokenizers import Tokenizer

    folder = checkpoint.folder
    vocabulary = folder / "vocab.txt"
    if vocabulary.is_file() and checkpoint.family in WORDPIECE:
        made = wordpiece(read_vocabulary(vocabulary), tokenizer_settings(folder))
    elif (folder / "tokenizer.json").is_file():
        try:
            made = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # the library raises bare Exception
            raise CheckpointUnreadable(f"tokenizer.json: {error}") from error
        made.no_padding()
        made.no_truncation()
    else:
        raise CheckpointIncomplete(f"{folder.name} holds no vocab.txt and no tokenizer.json")
    ids = made.get_vocab(with_added_tokens=True).values()
    rows = int(checkpoint.config.get("vocab_size", 0))
    if max(ids, default=0) >= rows:
        raise VocabularyMismatch(f"the vocabulary goes up to {max(ids)} and the embedding has {rows} rows")
    return made


def read_vocabulary(path: Path) -> dict[str, int]:
    """Line number by word; the last of equal lines wins, as in BertTokenizer."""
    try:
        lines = path.read_text("utf-8").split("\n")
    except ValueError as error:
        raise CheckpointUnreadable(f"{path.name}: {error}") from error
    if lines and not lines[-1]:
        lines.pop()
    found = {line.rstrip("\r"): number for number, line in enumerate(lines)}
    missing = [name for name in SPECIAL[:4] if name not in found]
    if missing:
        raise VocabularyMismatch(f"{path.name} lacks {', '.join(missing)}")
    return found


def wordpiece(vocabulary: dict[str, int], settings: dict[str, Any]) -> Any:
    """BertTokenizer with these settings (do_lower_case, strip_accents, tokenize_chinese_chars)."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    lower = bool(settings.get("do_lower_case", True))
    strip = settings.get("strip_accents")
    strip = lower if strip is None else bool(strip)
    made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))  # noqa: S106
    steps = [
        normalizers.Replace(Regex(f"[{_class(_is_control)}]"), ""),
        normalizers.BertNormalizer(
            clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False
        ),
        normalizers.NFC(),
    ]
    if lower:
        # Python lowers a Sigma at a word's end to another letter than one inside; the library does not.
        steps += [normalizers.Replace(Regex(FINAL_SIGMA), "ς"), normalizers.Lowercase()]
    if strip:
        # The library's table lacks this one.
        steps += [normalizers.NFD(), normalizers.Replace("\U00011938", "\U00011935\U00011930")]
        steps += [normalizers.Replace(Regex(f"[{_class(_is_mark)}]"), "")]
    made.normalizer = normalizers.Sequence(steps)
    alone = _class(_is_punctuation)
    if settings.get("tokenize_chinese_chars", True):
        alone += IDEOGRAPHS
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex(f"[{alone}]"), "isolated")]
    )
    made.post_processor = processors.BertProcessing(
        ("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"])
    )
    made.add_special_tokens([name for name in SPECIAL if name in vocabulary])
    return made


def _is_control(char: str) -> bool:
    return char == "\ufffd" or (char not in "\t\n\r" and unicodedata.category(char)[0] == "C")


def _is_mark(char: str) -> bool:
    return unicodedata.category(char) == "Mn"


def _is_punctuation(char: str) -> bool:
    code = ord(char)
    ascii_sign = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return ascii_sign or unicodedata.category(char)[0] == "P"


@cache
def _class(belongs: Callable[[str], bool]) -> str:
    r"""The inside of a regular expression's class, as ranges \x{…}-\x{…}; surrogates left out."""
    ranges: list[tuple[int, int]] = []
    for code in range(sys.maxunicode + 1):
        if 0xD800 <= code <= 0xDFFF or not belongs(chr(code)):
            continue
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1] = (ranges[-1][0], code)
        else:
            ranges.append((code, code))
    return "".join(rf"\x{{{first:X}}}-\x{{{last:X}}}" for first, last in ranges)
