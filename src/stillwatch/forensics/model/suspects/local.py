"""A suspect in a folder: a transformers model, read as data alone (safetensors, no code of its own)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stillwatch.errors import InputError, UsageError
from stillwatch.forensics.model.suspects.base import Positions, Scored

SMALLEST = 0.01
"""Tokens less likely than this are left out of distributions."""


class LocalModel:
    """A causal language model and its tokeniser."""

    def __init__(self, folder: Path) -> None:
        try:
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer
        except ImportError as error:
            raise UsageError("a transformers model needs the extra: pip install 'stillwatch[forensics]'") from error
        self._torch: Any = torch
        options = {"local_files_only": True, "trust_remote_code": False}
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, **options)
            self.model: Any = AutoModelForCausalLM.from_pretrained(folder, use_safetensors=True, **options).eval()
        except Exception as error:  # the library raises whatever its parts raise
            raise InputError(f"the model {folder} cannot be loaded: {str(error)[:200]}") from error
        self.longest = int(getattr(self.model.config, "max_position_embeddings", 2048))

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[Scored] | None:
        """Log-probability of each answer after its prompt; text beyond the model's length is cut from the left."""
        out = []
        for ids, first, logs in self._forward(pairs):
            if first >= len(ids):
                raise InputError("refused: an answer has no tokens for the suspect")
            rows = np.arange(first - 1, len(ids) - 1)
            out.append(Scored(float(logs[rows, np.array(ids[first:])].sum()), len(ids) - first))
        return out

    def generate(self, prompts: Sequence[str], most: int, temperature: float, seed: int) -> list[str]:
        """One sampled answer a prompt."""
        torch = self._torch
        torch.manual_seed(seed)
        out = []
        for prompt in prompts:
            ids = self._ids(prompt)[-(self.longest - most) :] or [self._start()]
            given = torch.tensor([ids])
            with torch.no_grad():
                made = self.model.generate(
                    given,
                    attention_mask=torch.ones_like(given),
                    do_sample=True,
                    top_k=0,
                    temperature=temperature,
                    max_new_tokens=most,
                    pad_token_id=self._start(),
                )
            out.append(self.tokenizer.decode(made[0, len(ids) :], skip_special_tokens=True))
        return out

    def positions(self, texts: Sequence[tuple[str, str]], tokenizer: object, width: int) -> Positions | str:
        """Likely next tokens at every place of the answers; only if its tokens are the provider's."""
        if not isinstance(tokenizer, Path) or not self._same(tokenizer):
            return "the suspect's tokens are not the provider's"
        windows, tokens, chances = [], [], []
        for ids, first, logs in self._forward(texts):
            array = np.array(ids, dtype=np.int64)
            for place in range(max(first, width), len(ids)):
                row = np.exp(logs[place - 1])
                likely = np.flatnonzero(row >= SMALLEST)
                windows.append(np.repeat(array[None, place - width : place], len(likely), axis=0))
                tokens.append(likely)
                chances.append(row[likely])
        if not tokens:
            return "the answers are shorter than a window"
        return Positions(np.concatenate(windows), np.concatenate(tokens), np.concatenate(chances).astype(np.float64))

    def _forward(self, pairs: Sequence[tuple[str, str]]) -> Iterator[tuple[list[int], int, Any]]:
        """(tokens, where the answer begins, log-probabilities [length, size]) of each prompt and answer."""
        torch = self._torch
        for prompt, answer in pairs:
            before, after = self._ids(prompt) or [self._start()], self._ids(answer)
            ids = (before + after)[-self.longest :]
            with torch.no_grad():
                logits = self.model(torch.tensor([ids])).logits[0]
            yield ids, max(1, len(ids) - len(after)), torch.log_softmax(logits.float(), -1).numpy()

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _start(self) -> int:
        config = self.model.config
        found = config.bos_token_id if config.bos_token_id is not None else config.eos_token_id
        return int(found if isinstance(found, int) else 0)

    def _same(self, tokenizer: Path) -> bool:
        from tokenizers import Tokenizer

        return bool(Tokenizer.from_file(str(tokenizer)).get_vocab() == self.tokenizer.get_vocab())
