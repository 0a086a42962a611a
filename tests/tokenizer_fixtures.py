"""Small tokenizers of the kinds that public models have, each as the folder that its model would come in.

`vocab_folder` has the one that a run trains. The others know the specials `<|im_start|>`, `<|im_end|>`, `<extra_0>`.
"""

import io
import json
import os
import pathlib

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pytest
import sentencepiece
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

from procsup_jax.text.vocab import train_vocab

NAMES = ("Ann", "Bob", "Cleo", "Dan", "Eve", "Farid", "Grace")
THINGS = ("apples", "pens", "jars of honey", "tins", "books", "stickers", "wooden chairs", "tickets", "eggs")
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_SPECIALS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<extra_0>")
_WORDS = r"'(?:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+"
_SIGNS = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def word_problems() -> list[str]:
    """Return solved problems, every other one in paragraphs that end in a box."""
    texts = []
    for n, (a, b) in enumerate([(a, b) for a in NAMES for b in NAMES if a != b] * 3, start=3):
        more, thing = n * 7 % 83, THINGS[n % len(THINGS)]
        question = f"{a} has {n} {thing}. {b} has {more} more than {a}. How many {thing} do they have in all?"
        steps = (
            f"{b} has {n} + {more} = <<{n}+{more}={n + more}>>{n + more} {thing}.",
            f"They have {n}+{n + more}=<<{n}+{n + more}={2 * n + more}>>{2 * n + more} {thing} in all.",
        )
        if n % 2:
            texts.append(f"Question: {question}\nSolution:\n" + "\n".join(steps) + f"\n#### {2 * n + more}")
        else:
            texts.append(f"{question}\n\n" + "\n\n".join(steps) + f"\n\nThe answer is $\\boxed{{{2 * n + more}}}$.")
    return texts


def _byte_level(folder: pathlib.Path, digits: list, *, size: int = 480, starts_with: str | None = None) -> pathlib.Path:
    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(digits)
    made.decoder = decoders.ByteLevel()
    specials = [*_SPECIALS, starts_with] if starts_with else list(_SPECIALS)
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(word_problems(), trainer)
    made.add_tokens(["  ", "    "])
    made.post_processor = processors.ByteLevel(trim_offsets=False)
    if starts_with:
        made.post_processor = processors.TemplateProcessing(
            single=f"{starts_with} $A", special_tokens=[(starts_with, made.token_to_id(starts_with))]
        )
    made.save(str(folder / "tokenizer.json"))
    ends = ["<|im_end|>", "<|endoftext|>"]
    config = {"eos_token": ends[0], "pad_token": ends[1], "chat_template": CHATML}
    config |= {"bos_token": starts_with} if starts_with else {}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    generation = {"eos_token_id": [made.token_to_id(end) for end in ends]}
    (folder / "generation_config.json").write_text(json.dumps(generation), encoding="utf-8")
    return folder


def _split(pattern: str) -> list:
    return [
        pre_tokenizers.Split(tokenizers.Regex(pattern), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]


@pytest.fixture(scope="session")
def vocab_folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Return a folder with the vocabulary that a run trains."""
    folder = tmp_path_factory.mktemp("vocab")
    train_vocab(word_problems(), 440, folder / "vocab.model", seed=0)
    return folder


@pytest.fixture(scope="session")
def bpe_folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Return a byte-level BPE tokenizer that merges digits, and signs with the newlines behind them."""
    digits = _split(rf"{_WORDS}| ?\p{{N}}+|{_SIGNS}")
    return _byte_level(tmp_path_factory.mktemp("bpe"), digits, size=560)


@pytest.fixture(scope="session")
def digits_bpe_folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Return a byte-level BPE tokenizer whose digits stand alone, split as SmolLM2's are."""
    digits = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    return _byte_level(tmp_path_factory.mktemp("digits_bpe"), digits)


@pytest.fixture(scope="session")
def triples_bpe_folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Return a byte-level BPE tokenizer that groups up to three digits and starts documents, as Llama 3's does."""
    digits = _split(rf"{_WORDS}|\p{{N}}{{1,3}}|{_SIGNS}")
    folder = tmp_path_factory.mktemp("triples_bpe")
    return _byte_level(folder, digits, size=560, starts_with="<|begin_of_text|>")


@pytest.fixture(scope="session")
def sentencepiece_folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Return a SentencePiece BPE tokenizer with byte fallback, a dummy prefix and a bos, as Llama 2's."""
    folder, model = tmp_path_factory.mktemp("sentencepiece"), io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(line for text in word_problems() for line in text.split("\n") if line),
        model_writer=model,
        model_type="bpe",
        vocab_size=480,
        control_symbols=list(_SPECIALS[1:]),
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        add_dummy_prefix=True,
        remove_extra_whitespaces=False,
        character_coverage=1.0,
        num_threads=1,
        minloglevel=2,
    )
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    config = {"add_bos_token": True, "bos_token": "<s>", "eos_token": "</s>", "chat_template": CHATML}
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder
