"""A transformer's weights and tokenizer in memory: texts in, one row of probabilities per text or token out.

Importing this module imports torch and transformers, seconds and hundreds of megabytes: only the first use of
a text model does it.
"""

import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np

# OpenMP's threads would wait for each other by spinning, and take the cores from other workers and trainings. Read
# when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
import torch
import transformers

from server.errors import ModelUnreadable
from server.estimators.text_folder import Head, TextFolder

AUTO = {
    Head.SEQUENCE: transformers.AutoModelForSequenceClassification,
    Head.TOKEN: transformers.AutoModelForTokenClassification,
}
# Texts that are tokenized together, and sorted by length, so that batches need little padding.
AT_ONCE = 2048
# The share of a window that the one before it has, too: a sentence that one cuts is whole in the other.
OVERLAP = 1 / 8
# What a batch holds at most, padding included: measured best on CPUs; a GPU needs more to be busy.
TOKENS_PER_BATCH = {"cpu": 1024, "cuda": 32_768}
TEXTS_PER_BATCH = {"cpu": 64, "cuda": 512}
# Of models that name no limit themselves; a tokenizer without one says a number with thirty digits.
USUAL_TOKENS = 512
NO_LIMIT = 10**6
# Tokenizers read a whole text before they truncate it. No token of the models known is that long.
CHARACTERS_PER_TOKEN = 1000

# The kind of head whose labels exclude nothing: each has a probability of its own.
SEVERAL_LABELS = "multi_label_classification"

# The first use in a process must not warn of later forks, which run no tokenizer.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


@dataclass(frozen=True)
class Tokens:
    """A tokenized text: ids of shape (n_tokens,), special ones among them, and their (start, end) characters."""

    ids: list[int]
    offsets: list[tuple[int, int]]


class Network:
    """A model with its tokenizer; `model` is on `device` and in evaluation mode."""

    def __init__(self, model: Any, tokenizer: Any, device: str) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.device = device
        self.most_tokens = most_tokens(tokenizer, model)
        # Batches of many requests at once would only take the cores from each other. They wait in a queue:
        # a lock is often taken again at once by the request that has just left it, while one text waits.
        self._turns = ThreadPoolExecutor(1, thread_name_prefix="inference")

    @classmethod
    def load(cls, folder: TextFolder, head: Head, quantize: str | None = None) -> Self:
        """The trained model in the folder.

        Raises:
            ModelUnreadable: it cannot be loaded, or lacks weights of this head.
        """
        network, missing = cls._read(folder.path, head)
        _check_whole(folder, f"weights of its {head} model", missing)
        return network.quantized() if quantize == "int8" else network

    @classmethod
    def base(cls, folder: TextFolder, head: Head, labels: Sequence[str], seed: int) -> Self:
        """The model in the folder with a head for these labels: its own if it has those, else a new one.

        Raises:
            ModelUnreadable: it cannot be loaded, or lacks weights below the head.
        """
        torch.manual_seed(seed)
        if folder.head is head and set(folder.labels) == set(labels):
            network = cls.load(folder, head)
        else:
            names = {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}
            network, missing = cls._read(folder.path, head, num_labels=len(labels), **names)
            body = f"{network.model.base_model_prefix}."
            # The pooler is part of some heads only, though it lies below them all.
            lacking = {name for name in missing if name.startswith(body) and ".pooler." not in name}
            _check_whole(folder, "weights below its head", lacking)
        # Each text has one label from now on, whatever the head before was for.
        network.model.config.problem_type = "single_label_classification" if head is Head.SEQUENCE else None
        return network

    @classmethod
    def _read(cls, path: Path, head: Head, **options: Any) -> tuple[Self, set[str]]:
        device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
            model, info = AUTO[head].from_pretrained(
                path,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                # Sixteen bits, as some are stored, are many times slower on a CPU.
                dtype=torch.float32,
                # Told among what is missing, instead of raised with a table.
                ignore_mismatched_sizes=True,
                output_loading_info=True,
                **options,
            )
        except Exception as error:  # noqa: BLE001 - the files are a user's, and the library fails in many ways
            reason = next(iter(str(error).strip().splitlines()), "")
            raise ModelUnreadable(f"{path.name} cannot be loaded: {type(error).__name__}: {reason}") from error
        if not tokenizer.is_fast:
            raise ModelUnreadable(
                f"the tokenizer in {path.name} does not tell where its tokens are; it needs a fast one"
            )
        # Models that write text have no padding of their own.
        if tokenizer.pad_token_id is None and tokenizer.eos_token_id is not None:
            tokenizer.pad_token = tokenizer.eos_token
        if model.config.pad_token_id is None:
            model.config.pad_token_id = tokenizer.pad_token_id
        # Of a checkpoint without its head, or with another: that is what the caller asks about.
        absent = {*info["missing_keys"], *(name for name, *_ in info["mismatched_keys"])}
        return cls(model.to(device).eval(), tokenizer, device), absent

    def quantized(self) -> Self:
        """A copy whose linear layers compute in 8-bit integers, on the CPU.

        Those that narrow stay floats: what comes out of an activation function spreads too far for one scale.
        """
        quantization = torch.ao.quantization
        layers = {
            name: quantization.per_channel_dynamic_qconfig
            for name, module in self.model.named_modules()
            if isinstance(module, torch.nn.Linear) and module.in_features <= module.out_features
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = quantization.quantize_dynamic(self.model.to("cpu"), layers, dtype=torch.qint8)
        self.model.to(self.device)
        return type(self)(model, self.tokenizer, "cpu")

    def tokenized(self, texts: Sequence[str]) -> list[Tokens]:
        """The tokens of each text, as many of the first as the model takes."""
        longest = CHARACTERS_PER_TOKEN * self.most_tokens
        found = self.tokenizer(
            [text[:longest] for text in texts],
            truncation=True,
            max_length=self.most_tokens,
            return_offsets_mapping=True,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        return [Tokens(*both) for both in zip(found["input_ids"], found["offset_mapping"], strict=True)]

    def windows(self, text: str) -> Iterator[list[int]]:
        """The token ids of the whole text, in windows as long as the model takes, each overlapping the next.

        A text that is not cut off has one window, the ids of `tokenized`.
        """
        # One part after another, as a tokenizer takes a hundred bytes for each character that it reads.
        longest = CHARACTERS_PER_TOKEN * self.most_tokens
        for start in range(0, max(1, len(text)), longest):
            yield from self.tokenizer(
                [text[start : start + longest]],
                truncation=True,
                max_length=self.most_tokens,
                stride=int(OVERLAP * self.most_tokens),
                return_overflowing_tokens=True,
                return_attention_mask=False,
                return_token_type_ids=False,
            )["input_ids"]

    def of_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Probabilities of each text's labels, shape (n_texts, n_labels), float64."""
        rows = [probabilities for _, probabilities in self._forwarded(texts)]
        return np.vstack(rows) if rows else np.empty((0, self.model.config.num_labels))

    def of_documents(self, texts: Sequence[str]) -> np.ndarray:
        """As `of_texts`, but of all of each text: the mean over its windows, weighted by their numbers of tokens."""
        means = np.zeros((len(texts), self.model.config.num_labels))
        tokens = np.zeros(len(texts))
        windows = ((row, ids) for row, text in enumerate(texts) for ids in self.windows(text))
        while some := list(islice(windows, AT_ONCE)):
            for (row, ids), probabilities in zip(some, self._answers([ids for _, ids in some]), strict=True):
                # A running mean: that of one window is the window's own, to the last bit.
                tokens[row] += len(ids)
                means[row] += (probabilities - means[row]) * (len(ids) / tokens[row])
        return means

    def of_tokens(self, texts: Sequence[str]) -> Iterator[tuple[Tokens, np.ndarray]]:
        """For each text its tokens and the probabilities of their labels, shape (n_tokens, n_labels), float64."""
        return self._forwarded(texts)

    def _forwarded(self, texts: Sequence[str]) -> Iterator[tuple[Tokens, np.ndarray]]:
        for start in range(0, len(texts), AT_ONCE):
            tokens = self.tokenized(texts[start : start + AT_ONCE])
            yield from zip(tokens, self._answers([one.ids for one in tokens]), strict=True)

    def _answers(self, ids: list[list[int]]) -> list[np.ndarray]:
        """The probabilities for each of the token ids, which are forwarded in batches of like lengths."""
        answers: list[Any] = [None] * len(ids)
        for batch in batches([len(one) for one in ids], self.device, self._pads()):
            for index, answer in zip(batch, self._probabilities([ids[i] for i in batch]), strict=True):
                answers[index] = answer
        return answers

    def _probabilities(self, ids: list[list[int]]) -> list[np.ndarray]:
        probabilities = self._turns.submit(self._forward, self.padded(ids)).result()
        if probabilities.ndim == 2:
            return list(probabilities)
        left = self.tokenizer.padding_side == "left"
        return [
            row[len(row) - len(one) :] if left else row[: len(one)] for row, one in zip(probabilities, ids, strict=True)
        ]

    def _forward(self, inputs: dict[str, Any]) -> np.ndarray:
        with torch.inference_mode():
            logits = self.model(**inputs).logits.double()
            several = getattr(self.model.config, "problem_type", None) == SEVERAL_LABELS
            return (logits.sigmoid() if several else logits.softmax(-1)).cpu().numpy()

    def padded(self, ids: list[list[int]]) -> dict[str, Any]:
        """The inputs of one batch on the model's device."""
        if len(ids) == 1:
            return {"input_ids": torch.tensor(ids, device=self.device)}
        return dict(self.tokenizer.pad({"input_ids": ids}, return_tensors="pt").to(self.device))

    def _pads(self) -> bool:
        return self.tokenizer.pad_token_id is not None and self.model.config.pad_token_id is not None

    def save(self, folder: Path) -> None:
        """Write weights (safetensors), configuration and tokenizer in transformers' format."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def _check_whole(folder: TextFolder, what: str, missing: set[str]) -> None:
    if missing:
        names = ", ".join(sorted(missing)[:3])
        raise ModelUnreadable(
            f"{folder.name} lacks {what}, or has them in other sizes than its config.json says: {names}"
        )


def batches(lengths: Sequence[int], device: str, pads: bool = True) -> Iterator[list[int]]:
    """Positions of texts with these numbers of tokens, the longest first, in batches of bounded size."""
    tokens, texts = TOKENS_PER_BATCH[device], TEXTS_PER_BATCH[device]
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    while order:
        # The first is the longest, and what the others are padded to.
        count = max(1, min(texts, tokens // max(1, lengths[order[0]]))) if pads else 1
        yield order[:count]
        order = order[count:]


def most_tokens(tokenizer: Any, model: Any) -> int:
    """How many tokens of a text the model takes, special ones among them."""
    limits = [tokenizer.model_max_length]
    places = [
        module
        for name, module in model.named_modules()
        if name.endswith("position_embeddings") and isinstance(module, torch.nn.Embedding)
    ]
    if places:
        # The family of RoBERTa counts positions from the padding's id on.
        first = 0 if places[0].padding_idx is None else places[0].padding_idx + 1
        limits.append(places[0].num_embeddings - first)
    else:
        limits.append(getattr(model.config, "max_position_embeddings", None) or limits[0])
    least = min(limits)
    return int(least) if least < NO_LIMIT else USUAL_TOKENS
