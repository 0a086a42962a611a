from procsup_jax import records
from procsup_jax.jobs import label
from procsup_jax.types import Problem, Sample


def test_steps_are_counted_by_the_layout_or_as_they_are_given(tmp_path, capsys):
    text = "2+2 is\nfour\n\nSo \\boxed{4}"
    paths = tmp_path / "p.jsonl", tmp_path / "s.jsonl", tmp_path / "l.jsonl"
    records.write_problems(paths[0], [Problem("a", "2+2?", "4")])
    samples = [Sample("a", 0, text, "4"), Sample("a", 0, text, "5", decoding="greedy", steps=(text,))]
    records.write_samples(paths[1], samples)
    for layout, num_steps in (("lines", 3), ("paragraphs", 2)):
        label.run(*paths, layout=layout)
        found = records.read_labels(paths[2])
        assert [(each.key, each.num_steps, each.trace_correct) for each in found] == [
            (("a", 0, None), num_steps, True), (("a", 0, "greedy"), 1, False),
        ]  # fmt: skip
    assert "2 solutions labelled by outcome, 1 without a wrong step" in capsys.readouterr().out
