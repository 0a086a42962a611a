"""Training reads what scoring reads, for every kind of tokenizer and layout; padding and packing change nothing."""

import dataclasses
import itertools

import jax
import numpy as np
import pytest
import small_models

from procsup_jax.data import pack, pipeline
from procsup_jax.data.examples import label_examples, solution_examples
from procsup_jax.decode import score
from procsup_jax.models import api
from procsup_jax.text import answers
from procsup_jax.training import losses, tasks
from procsup_jax.training.settings import FitSettings, OptimSettings
from procsup_jax.types import Problem, Sample, StepLabels

SEQ_LEN = 200
FIT = FitSettings(OptimSettings(peak_lr=1e-2), num_steps=12, batch_size=8, log_every=1)
PROBLEMS = [Problem("a", "How many?", "1"), Problem("b", "Why?", "2")]


def judge(request):
    kind, layout = request.param
    return small_models.judge(small_models.writer(request.getfixturevalue(f"{kind}_folder"), layout, max_len=SEQ_LEN))


model = pytest.fixture(judge, scope="module", params=small_models.KINDS, ids="-".join)
one_of_three = pytest.fixture(judge, scope="module", params=small_models.THREE, ids="-".join)


@pytest.fixture(scope="module")
def samples(model):
    return samples_of(model)


def samples_of(model):
    """Return whole solutions, parts of them, and one as tokens that its text would not encode to."""
    texts = small_models.solutions(model.layout)
    parts = ["".join(text.partition(model.layout.separator)[:1]) for text in texts]
    found = [
        Sample(uid, k, text, answers.extract_answer(text))
        for uid, own in (("a", texts), ("b", [*texts, *parts]))
        for k, text in enumerate(dict.fromkeys(own))
    ]
    odd = [i for char in texts[0] for i in model.encode(char)]
    assert odd != model.encode(texts[0]) and model.decode(odd) == texts[0]
    return [*found, dataclasses.replace(found[0], sample=9, token_ids=tuple(odd), tokenizer=model.tokenizer.digest)]


def labels_of(model, samples):
    """Label every step, soft, hard or not at all."""
    rng, found = np.random.default_rng(0), []
    for sample in samples:
        steps = [(0, 1, 0.3, None)[i] for i in rng.integers(0, 4, len(model.encoding.sample(sample).ends))]
        steps[-1] = 0.5
        found.append(StepLabels(sample.problem_uid, sample.sample, None, len(steps), "me", "hand", steps=tuple(steps)))
    return found


def test_a_label_stands_where_scoring_reads_its_step(model, samples):
    labels = [dataclasses.replace(each, steps=(1.0,) * each.num_steps) for each in labels_of(model, samples)]
    examples = label_examples(model.encoding, {each.uid: each for each in PROBLEMS}, samples, labels)
    packed = pack.pack(examples, SEQ_LEN)
    batch = pipeline.take_rows(packed, np.arange(packed.num_rows))
    logits_bl = jax.jit(api.rm_logits, static_argnums=(0, 1))(
        model.config, model.head, model.params,
        *(batch[name] for name in ("tokens", "positions", "segments", "solution")),
    )  # fmt: skip
    read = np.sort(np.asarray(jax.nn.sigmoid(logits_bl))[batch["weights"] > 0])
    scored = np.sort(np.concatenate(score.score_samples(model, PROBLEMS, samples, batch_size=4)))
    np.testing.assert_allclose(read, scored, rtol=1e-3)


def test_packed_examples_have_the_loss_they_have_alone(model, samples):
    by_uid = {each.uid: each for each in PROBLEMS}
    judged = label_examples(model.encoding, by_uid, samples, labels_of(model, samples))
    written = solution_examples(model.encoding, [(by_uid[each.problem_uid], each) for each in samples])
    for head, examples in ((model.head, judged), (None, written)):
        loss = jax.jit(losses.make_loss(model.config, head))
        together = pack.pack(examples, SEQ_LEN)
        rows = pipeline.take_rows(together, np.arange(together.num_rows))
        whole = loss(model.params, rows, None)
        alone = [pipeline.take_rows(pack.pack([each], SEQ_LEN), np.arange(1)) for each in examples]
        # One shape for all: the others of its rows are padding.
        padded = [{name: np.pad(a, ((0, together.num_rows - 1), (0, 0))) for name, a in each.items()} for each in alone]
        parts = [loss(model.params, each, None) for each in padded]
        for total, each in zip(whole, zip(*parts, strict=True), strict=True):
            np.testing.assert_allclose(total, sum(map(float, each)), rtol=1e-4)


def test_both_kinds_of_model_learn(one_of_three):
    model, samples = one_of_three, samples_of(one_of_three)
    written = [each for each in samples if each.answer is not None]
    lessons = (
        tasks.Lesson("distil", PROBLEMS, written),
        tasks.Lesson("prm", PROBLEMS, samples, labels_of(model, samples)),
    )
    for lesson in lessons:
        settings = tasks.TrainSettings(FIT, SEQ_LEN, "classifier", validation=0)
        started = model.with_head(None) if lesson.task == "distil" else model
        history = tasks.train(started, lesson, settings).history
        first, *_, last = (record["loss"] for record in history if "loss" in record)
        assert last < first, lesson.task


def test_what_is_learnt_ends_as_what_is_sampled_ends(model, samples):
    """The completions' last token is the end token, and their text is the solution's."""
    encoding, by_uid = model.encoding, {each.uid: each for each in PROBLEMS}
    examples = solution_examples(encoding, [(by_uid[each.problem_uid], each) for each in samples])
    assert len(examples) == len(samples)
    for example, sample in zip(examples, samples, strict=True):
        learnt = [int(t) for t, w in zip(example.targets_l, example.weights_l, strict=True) if w]
        assert learnt[-1] == encoding.end_id
        assert encoding.written(learnt)[0] == sample.solution
        ends = encoding.sample(sample).ends
        assert [
            encoding.tokenizer.decode(learnt[a:b]).strip() for a, b in itertools.pairwise([0, *(e + 1 for e in ends)])
        ] == [step.strip() for step in encoding.steps(sample.solution)]
