"""One small good set of every file that a job reads, and the command lines that read them; others' are in good_sets."""

from __future__ import annotations

import io
import json
import pathlib

import jax
import numpy as np
import sentencepiece
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from benchmarks.ours import export
from benchmarks.soak import good_sets
from benchmarks.soak.trial import Trial
from procsup_jax import main
from procsup_jax.data.worlds import splits
from procsup_jax.io.models import save_model
from procsup_jax.models import api
from procsup_jax.models.model import Model
from procsup_jax.models.pretrained import llama
from procsup_jax.models.pretrained.table import write_params
from procsup_jax.text.encoding import layout_for
from procsup_jax.text.tokenizer import load_tokenizer
from procsup_jax.text.vocab import train_vocab
from procsup_jax.types import Problem

_ENDS = ("<|im_end|>", "<|endoftext|>")
_CHAT = "{% for m in messages %}{{ '<|im_start|>' + m['role'] + m['content'] + '<|im_end|>' }}{% endfor %}"


def make(folder: pathlib.Path) -> list[Trial]:
    """Write the files into a folder and return what to try: every file with every job that reads it."""
    problems = splits.problems("test", 4)
    texts = [f"{problem.question}\n{problem.solution}" for problem in splits.problems("sft", 40)]
    _write_records(folder, problems)
    trials = _record_trials()
    for name, tokenizer in (("ours", _vocab), ("bpe", _byte_bpe), ("spm", _sentencepiece)):
        made = folder / f"{name}.tokenizer"
        made.mkdir()
        tokenizer(made, texts)
        trials += _model_trials(folder, name, made)
    trials += [*_marker_trials(folder), *good_sets.make(folder), *good_sets.training(folder, "ours")]
    _write_hf(folder, texts)
    trials += [
        Trial(f"hf/{path.name}", ("convert", "--input={}/hf", "--output={}/out", "--to=procsup"))
        for path in sorted((folder / "hf").iterdir())
    ]
    trials += [Trial("llama.gguf", ("convert", "--input={}/llama.gguf", "--output={}/out", "--to=procsup"))] * 3
    return trials


def _write_records(folder: pathlib.Path, problems: list[Problem]) -> None:
    def write(name: str, rows: list[dict]) -> None:
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    keys = [{"problem_uid": problem.uid, "sample": i} for problem in problems for i in range(2)]
    by_uid = {problem.uid: problem for problem in problems}
    solutions = [by_uid[str(key["problem_uid"])].solution or "" for key in keys]
    counts = [len(text.split("\n")) for text in solutions]
    world = [
        {"uid": p.uid, "question": p.question, "answer": p.answer, "solution": p.solution, **p.extra} for p in problems
    ]
    write("p.jsonl", world)
    write("e.jsonl", [{**key, "solution": ""} for key in keys])
    optional = {"logprob": -3.5, "tokens": 40, "policy": "sft", "token_ids": [4, 5], "tokenizer": "abc"}
    write(
        "s.jsonl",
        [
            {**key, "solution": text, "answer": by_uid[str(key["problem_uid"])].answer, **optional}
            | ({"steps": text.split("\n")} if i % 2 else {})
            for i, (key, text) in enumerate(zip(keys, solutions, strict=True))
        ],
    )
    score = {"aggregate": "last", "rm": "orm"}
    write(
        "scores.jsonl",
        [{**key, "step_probs": [0.5] * n, "score": 0.5, **score} for key, n in zip(keys, counts, strict=True)],
    )
    raters = {"rater": "ann", "source": "people", "flags": ["ambiguous"]}
    write(
        "labels.jsonl",
        [
            {**key, **raters, "first_error": i % 3 - 1, "num_steps": n}
            for i, (key, n) in enumerate(zip(keys, counts, strict=True))
        ],
    )
    write(
        "any.jsonl", [{"id": i, "q": p.question, "a": {"b": p.answer}, "s": p.solution} for i, p in enumerate(problems)]
    )
    bench = [{"id": f"gsm8k-{i}", "generator": "g", "problem": p.question, "steps": (p.solution or "").split("\n"),
              "label": i - 1, "final_answer_correct": i == 0} for i, p in enumerate(problems)]  # fmt: skip
    write("bench.jsonl", bench)


def _record_trials() -> list[Trial]:
    given = ("--problems={}/p.jsonl", "--samples={}/s.jsonl", "--output={}/out")
    scored = ("--scores=orm={}/scores.jsonl", "--labels={}/labels.jsonl")
    keys = ("--uid_key=id", "--question_key=q", "--answer_key=a.b", "--solution_key=s")
    bench = ("data", "--dataset=processbench", "--path={}/bench.jsonl", "--output={}/out", "--samples_output={}/out2")
    commands: dict[str, list[tuple[str, ...]]] = {
        "p.jsonl": [("grade", *given), ("label", *given), ("label", *given, "--source=oracle"),
                    ("label", *given, "--source=intermediate"), ("evaluate", *given),
                    ("evaluate", *given, "--skip_bad")],
        "s.jsonl": [("grade", *given), ("label", *given), ("label", *given, "--source=oracle"),
                    ("evaluate", *given, *scored), ("grade", *given, "--skip_bad")],
        "scores.jsonl": [("evaluate", *given, *scored), ("evaluate", *given, *scored, "--skip_bad")],
        "labels.jsonl": [("evaluate", *given, *scored), ("evaluate", *given, *scored, "--skip_bad")],
        "any.jsonl": [("data", "--dataset=jsonl", "--path={}/any.jsonl", "--output={}/out", *keys)],
        "bench.jsonl": [bench],
    }  # fmt: skip
    return [Trial(file, argv) for file, each in commands.items() for argv in each]


def _marker_trials(folder: pathlib.Path) -> list[Trial]:
    """Leave the markers of a run of another seed, which is refused before any stage runs."""
    (folder / "run/stages").mkdir(parents=True)
    names = ("data", "base", "train-sft")
    for name in names:
        marker = {"stage": name, "settings": {"config.seed": 0, "config.x": [1, "a"]}, "inputs": {"a": "0" * 64},
                  "outputs": {"b": "1" * 64}, "wall_clock_s": 1.5, "compile_s": 0.5}  # fmt: skip
        (folder / f"run/stages/{name}.json").write_text(json.dumps(marker))
    config = pathlib.Path(__file__).parents[2] / "configs/demo.py"
    argv = ("run", f"--config={config}:tiny", "--workdir={}/run", "--config.seed=1")
    return [Trial(f"run/stages/{name}.json", argv, 2) for name in names]


def _model_trials(folder: pathlib.Path, name: str, tokenizer_folder: pathlib.Path) -> list[Trial]:
    """Save a reward model with this tokenizer; score reads all of it, but no step, so that nothing is compiled."""
    tokenizer = load_tokenizer(tokenizer_folder)
    config = api.ModelConfig(tokenizer.size, 1, 8, 2, 1, 4, 16, max_len=512)
    params = api.init_params(config, jax.random.key(0))
    model = Model(config, params, tokenizer, layout_for(tokenizer, "chat" if name == "bpe" else "lines"))
    save_model(folder / name, model.with_head(api.ClassifierHead(2, 2), jax.random.key(1)))
    score = ("score", "--problems={}/p.jsonl", "--samples={}/e.jsonl", f"--rm={{}}/{name}", "--output={}/out")
    convert = ("convert", f"--input={{}}/{name}", "--output={}/out", "--to=procsup")
    return [
        Trial(f"{name}/{path.name}", argv) for path in sorted((folder / name).iterdir()) for argv in (score, convert)
    ]


def _vocab(folder: pathlib.Path, texts: list[str]) -> None:
    train_vocab(texts, 420, folder / "vocab.model", seed=0)


def _byte_bpe(folder: pathlib.Path, texts: list[str]) -> None:
    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<|im_start|>", *_ENDS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    made.save(str(folder / "tokenizer.json"))
    config = {"eos_token": _ENDS[0], "pad_token": _ENDS[1], "chat_template": _CHAT}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "special_tokens_map.json").write_text(json.dumps({"additional_special_tokens": [_ENDS[1]]}))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [1, 2]}))


def _sentencepiece(folder: pathlib.Path, texts: list[str]) -> None:
    model = io.BytesIO()
    lines = [line for text in texts for line in text.split("\n")]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, model_type="bpe", vocab_size=400, byte_fallback=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, character_coverage=1.0, num_threads=1,
        minloglevel=2,
    )  # fmt: skip
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    (folder / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "eos_token": "</s>"}))


def _write_hf(folder: pathlib.Path, texts: list[str]) -> None:
    """Write a Hugging Face folder, and its model as GGUF."""
    assert main.main(["convert", f"--input={folder / 'bpe'}", f"--output={folder / 'hf'}", "--to=hf", "--force"]) == 0
    tokenizer = load_tokenizer(folder / "hf")
    config = api.ModelConfig(tokenizer.size, 1, 32, 4, 2, 8, 32, max_len=64)
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda a: rng.standard_normal(a.shape).astype(np.float32), api.abstract_params(config))
    writer = export.gguf_writer(folder / "llama.gguf", config)
    spec = json.loads((folder / "hf/tokenizer.json").read_text())
    pieces = sorted(spec["model"]["vocab"], key=spec["model"]["vocab"].__getitem__)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(pieces)
    writer.add_token_types([3] * 3 + [1] * (len(pieces) - 3))
    writer.add_token_merges([" ".join(pair) if isinstance(pair, list) else pair for pair in spec["model"]["merges"]])
    writer.add_eos_token_id(1)
    tensors = dict(write_params(llama.TABLE, "gguf", config, params))
    for name, array, kind in export.stored(tensors, "q8_0"):
        writer.add_tensor(name, array, raw_dtype=kind)
    export.write_out(writer)
