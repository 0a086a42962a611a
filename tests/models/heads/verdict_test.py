import numpy as np
import pytest

from procsup_jax.errors import UserError
from procsup_jax.models import api

HEAD = api.VerdictHead(5, 11)


def test_it_is_the_difference_of_two_logits(each_config, make_params, tokens_bl, run, read_whole):
    params = make_params(each_config)
    logits = api.unembed(each_config, params, run(each_config, params, tokens_bl))
    got = read_whole(each_config, HEAD, params, tokens_bl)
    np.testing.assert_allclose(got, logits[..., 5] - logits[..., 11], atol=2e-5)


def test_it_has_no_parameters(config):
    assert api.abstract_params(config, HEAD).keys() == api.abstract_params(config).keys()
    assert api.param_axes(config, HEAD) == api.param_axes(config)
    assert api.num_params(config, HEAD) == api.num_params(config)


@pytest.mark.parametrize("ids", [(3, 3), (-1, 3), ("5", 3), (True, 3)])
def test_ids_that_cannot_be_are_refused(ids):
    with pytest.raises(UserError, match="expected the ids of two different tokens"):
        api.VerdictHead(*ids)


def test_tokens_that_the_model_lacks_are_refused(config):
    with pytest.raises(UserError, match="verdict tokens 5 and 40: the model has vocab_size=40; use the ids of tokens"):
        api.abstract_params(config, api.VerdictHead(5, 40))
