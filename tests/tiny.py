"""Text models small enough for quick tests: real BERTs in transformers' format, with random weights."""

import string
from pathlib import Path
from typing import Any, Literal

LABELS: dict[str | None, tuple[str, ...]] = {
    "sequence": ("NEGATIVE", "POSITIVE"),
    "token": ("O", "B-PER", "I-PER", "B-LOC", "I-LOC"),
    None: (),
}
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = (
    *("the", "a", "an", "and", "but", "was", "is", "in", "of", "it", "this", "that", "very", "not", "movie", "film"),
    *("good", "great", "fine", "right", "love", "bad", "boring", "poor", "wrong", "hate"),
    *("anna", "peter", "smith", "paris", "london", "berlin", "lives", "went", "to", "from"),
)


def tiny_model(
    folder: Path,
    head: Literal["sequence", "token"] | None = "sequence",
    labels: tuple[str, ...] | None = None,
    seed: int = 0,
    **settings: Any,
) -> Path:
    """Save a model with its tokenizer into the folder, which is returned.

    Args:
        folder: made if missing; config.json, model.safetensors and the tokenizer's files are written into it.
        head: what the model classifies; None is a mere base without a classifier.
        labels: the head's labels in the order of their ids, by default those of `LABELS`.
        seed: equal seeds give equal weights.
        settings: further settings of the BertConfig, such as max_position_embeddings.
    """
    # Torch takes seconds to import; collecting the tests must not wait for it.
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertForTokenClassification, BertModel

    # Threads that wait for each other take most of the time of weights this small.
    torch.set_num_threads(1)
    classes = {"sequence": BertForSequenceClassification, "token": BertForTokenClassification, None: BertModel}
    names = LABELS[head] if labels is None else labels
    named = {"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}} if names else {}
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    vocabulary = tiny_vocabulary()
    # Weights wider than BERT's own make answers differ from text to text.
    shape = size | {"max_position_embeddings": 128, "initializer_range": 0.6, "vocab_size": len(vocabulary)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = classes[head](BertConfig(**shape | named | settings))
    model.save_pretrained(folder)
    tiny_tokenizer(vocabulary, model.config.max_position_embeddings).save_pretrained(folder)
    return folder


def tiny_vocabulary() -> dict[str, int]:
    """Token → id: some words, and every printable ASCII character, alone and as the continuation of a word."""
    characters = string.ascii_lowercase + string.digits + string.punctuation
    tokens = (*SPECIAL, *WORDS, *characters, *(f"##{character}" for character in characters))
    return {token: number for number, token in enumerate(dict.fromkeys(tokens))}


def tiny_tokenizer(vocabulary: dict[str, int], length: int) -> Any:
    """The fast WordPiece tokenizer over the vocabulary; texts longer than `length` tokens can be truncated."""
    from transformers import BertTokenizer

    return BertTokenizer(vocab=vocabulary, model_max_length=length)
