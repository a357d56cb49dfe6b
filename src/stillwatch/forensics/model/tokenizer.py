"""The provider's tokeniser: a mark is a matter of its tokens, whoever's text is looked at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from stillwatch.errors import InputError, UsageError


def load_tokenizer(path: Path) -> Callable[[str], list[int]]:
    """Text to tokens by a tokenizer.json, without special tokens. UsageError without the extra `forensics`."""
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise UsageError("a tokenizer needs the extra: pip install 'stillwatch[forensics]'") from error
    try:
        found = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception for a broken file
        raise InputError(f"tokenizer {path}: {str(error)[:200]}") from error
    return lambda text: list(found.encode(text, add_special_tokens=False).ids)
