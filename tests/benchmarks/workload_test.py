import dataclasses

from benchmarks import cost
from benchmarks.workload import SIZES, Task
from procsup_jax.models import api


def test_schedules_and_prompts_are_the_problem_s_own():
    task = Task("2m", "", num_problems=3, shortest=16)
    schedules = [task.lengths(problem) for problem in range(3)]
    assert all(each.min() >= 16 and each.max() == 128 for each in schedules)
    assert schedules[0].tolist() == task.lengths(0).tolist() != schedules[1].tolist()
    assert task.num_tokens == sum(each.sum() for each in schedules)
    prompts = [task.prompt(problem) for problem in range(3)]
    assert len({tuple(each) for each in prompts}) == len({each[-1] for each in prompts}) == 3


def test_flops_are_those_of_the_model():
    from benchmarks.ours.export import model_config

    for size in SIZES.values():
        mine = cost.kernel_flops(size) + cost.unembed_flops(size) + cost.attention_flops(size, 128)
        assert mine == api.forward_flops_per_token(model_config(size), 128)


def test_the_limit_counts_matmuls_and_each_sample_s_own_cache():
    task = Task("2m", "", num_samples=2, new_tokens=3)
    assert cost.sampling(task).read_bytes == 2 * (1 + 2 + 3) * 2 * 4 * 4 * 48 * 4
    gpu = dataclasses.replace(task, device="gpu")
    parameters = (cost.kernel_flops(task.shape) + cost.unembed_flops(task.shape)) / 2
    assert cost.sampling(gpu).read_bytes == cost.sampling(task).read_bytes / 2 + 3 * 2 * parameters
    assert cost.limit_seconds(cost.Cost(6.0, 8.0), cost.Rates(2.0, 4.0)) == 5.0
