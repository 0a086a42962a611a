import dataclasses

from procsup_jax.training.early_stop import EarlyStop


def test_patience_counts_evaluations_without_a_better_loss():
    stop = EarlyStop(2)
    seen = [(stop.update(step, loss), stop.stopped) for step, loss in enumerate([3.0, 2.0, 2.0, 1.0, 1.5, 1.1])]
    assert seen == [(True, False), (True, False), (False, False), (True, False), (False, False), (False, True)]
    assert (stop.best_step, stop.best_loss) == (3, 1.0)


def test_no_patience_means_never():
    stop = EarlyStop(0)
    for step in range(50):
        stop.update(step, float(step))
    assert not stop.stopped and stop.best_step == 0


def test_it_goes_on_from_its_fields():
    stop = EarlyStop(2)
    stop.update(1, 1.0)
    stop.update(2, 2.0)
    again = EarlyStop(**dataclasses.asdict(stop))
    again.update(3, 2.0)
    assert again.stopped
