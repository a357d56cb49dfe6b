"""Small transformers of known lineage: a teacher, marked answers, and students on them; all on one core of a CPU.

Every function is seeded. Sizes are arguments, so that the tests run the same code in a minute and the benchmark in half
an hour. Needs the extra `forensics`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel

from stillwatch.forensics.model.watermark import Marker

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
LENGTH = 128
PROMPT = 12
ANSWER = 96


def tokenizer(text: str, size: int) -> Tokenizer:
    """Byte-level BPE of `size` tokens, trained on a text."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    made.train_from_iterator([text[n : n + 2000] for n in range(0, len(text), 2000)], trainer)
    return made


def fresh(size: int, width: int, layers: int, seed: int) -> GPT2LMHeadModel:
    """An untrained model."""
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=size, n_positions=LENGTH, n_embd=width, n_layer=layers, n_head=max(2, width // 32),
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    return GPT2LMHeadModel(config)


def train(model: GPT2LMHeadModel, stream: Ints, steps: int, seed: int, rate: float = 2e-3, batch: int = 16) -> float:
    """Train on random places of a stream of tokens; the mean loss of the last tenth, in nats a token."""
    chance = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01, betas=(0.9, 0.98))
    warm = max(1, steps // 20)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda n: min((n + 1) / warm, 0.1 + 0.9 * (1 + np.cos(np.pi * n / steps)) / 2)
    )
    data = torch.from_numpy(stream)
    losses = []
    model.train()
    for _ in range(steps):
        places = chance.integers(0, len(stream) - LENGTH, batch)
        ids = torch.stack([data[place : place + LENGTH] for place in places.tolist()])
        loss = model(ids, labels=ids).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
    model.eval()
    return float(np.mean(losses[-max(1, steps // 10) :]))


def prompts(stream: Ints, count: int, seed: int) -> Ints:
    """Random pieces of a stream, [count, PROMPT]."""
    places = np.random.default_rng(seed).integers(0, len(stream) - PROMPT, count)
    return np.stack([stream[place : place + PROMPT] for place in places])


@torch.no_grad()
def answers(model: GPT2LMHeadModel, given: Ints, seed: int, marker: Marker | None = None, length: int = ANSWER) -> Ints:
    """Sampled answers to prompts [n, PROMPT], at temperature 1, marked or not: [n, length]."""
    chance = np.random.default_rng(seed)
    out = []
    for start in range(0, len(given), 256):
        ids, cache = given[start : start + 256], None
        tokens = torch.from_numpy(ids)
        for _ in range(length):
            done = model(tokens, past_key_values=cache, use_cache=True)
            cache = done.past_key_values
            logits = done.logits[:, -1].double().numpy()
            noise = -np.log(-np.log(chance.uniform(1e-300, 1, logits.shape)))
            if marker is None:
                logits = logits + noise
            elif marker.scheme.kind == "gumbel":
                logits = marker(list(ids), logits)
            else:
                logits = marker(list(ids), logits) + noise
            new = logits.argmax(axis=1)
            ids = np.concatenate([ids, new[:, None]], axis=1)
            tokens = torch.from_numpy(new[:, None])
        out.append(ids[:, given.shape[1] :])
    return np.concatenate(out)


@torch.no_grad()
def log_probabilities(model: GPT2LMHeadModel, given: Ints, answer: Ints) -> Floats:
    """Sum of log-probabilities of answers [n, length] after prompts [n, PROMPT], [n], nats."""
    out = []
    for start in range(0, len(given), 64):
        ids = torch.from_numpy(np.concatenate([given, answer], axis=1)[start : start + 64])
        logs = torch.log_softmax(model(ids).logits[:, :-1].float(), -1)
        took = logs.gather(2, ids[:, 1:, None])[:, given.shape[1] - 1 :, 0]
        out.append(took.double().sum(1).numpy())
    return np.concatenate(out)


@torch.no_grad()
def distributions(
    model: GPT2LMHeadModel, reference: GPT2LMHeadModel | None, texts: Ints, width: int, first: int, least: float = 0.02
) -> tuple[Ints, Ints, Floats]:
    """Likely next tokens at every place of texts [n, length] from `first`: windows, tokens, chances less reference.

    A token counts if either model gives it `least`.
    """
    windows, tokens, chances = [], [], []
    for start in range(0, len(texts), 64):
        part = texts[start : start + 64]
        ids = torch.from_numpy(part)
        mine = torch.softmax(model(ids).logits.float(), -1).numpy()[:, first - 1 : -1]
        other = torch.softmax(reference(ids).logits.float(), -1).numpy()[:, first - 1 : -1] if reference else 0 * mine
        row, place, token = np.nonzero(np.maximum(mine, other) >= least)
        seen = np.lib.stride_tricks.sliding_window_view(part, width, axis=1)
        windows.append(seen[row, place + first - width])
        tokens.append(token)
        chances.append((mine - other)[row, place, token].astype(np.float64))
    return np.concatenate(windows), np.concatenate(tokens), np.concatenate(chances)


@torch.no_grad()
def reworded(texts: Ints, writer: GPT2LMHeadModel, share: float, seed: int) -> Ints:
    """A simple paraphrase: from left to right each token is drawn anew with probability `share` by another model."""
    chance = np.random.default_rng(seed)
    out = texts.copy()
    again = chance.uniform(size=texts.shape) < share
    for start in range(0, len(texts), 256):
        part = out[start : start + 256]
        cache = None
        for place in range(texts.shape[1] - 1):
            done = writer(torch.from_numpy(part[:, place : place + 1]), past_key_values=cache, use_cache=True)
            cache = done.past_key_values
            logits = done.logits[:, -1].double().numpy()
            drawn = (logits - np.log(-np.log(chance.uniform(1e-300, 1, logits.shape)))).argmax(axis=1)
            part[:, place + 1] = np.where(again[start : start + 256, place + 1], drawn, part[:, place + 1])
    return out


def joined(given: Ints, answer: Ints) -> Ints:
    """Prompts and answers as one stream of documents."""
    return np.concatenate([given, answer], axis=1).reshape(-1)


def mixed(parts: Sequence[Ints], seed: int, piece: int = PROMPT + ANSWER) -> Ints:
    """Streams cut to pieces and shuffled into one."""
    cut = np.concatenate([part[: len(part) // piece * piece].reshape(-1, piece) for part in parts])
    return cut[np.random.default_rng(seed).permutation(len(cut))].reshape(-1)


def save(model: GPT2LMHeadModel, made: Tokenizer, folder: Path) -> None:
    """A folder as transformers reads it."""
    from transformers import PreTrainedTokenizerFast

    model.save_pretrained(folder, safe_serialization=True)
    PreTrainedTokenizerFast(tokenizer_object=made).save_pretrained(folder)
