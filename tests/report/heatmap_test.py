import re

from procsup_jax.report import heatmap
from procsup_jax.report.results import Agreement


def test_heat_map_shows_each_measured_pair_and_no_other():
    share = {("orm_prediction", "prm_label"): 0.853, ("prm_label", "orm_prediction"): 0.853}
    figure = heatmap.heatmap(Agreement(share, 913), "agreement", "SFT")
    assert re.findall(r'class="cell-text"[^>]*>([^<]*)<', figure.body) == ["85.3", "85.3"]
    assert "of 913 steps" in figure.description and "PRM" not in figure.body
    assert [heatmap.band(s) for s in (0.0, 0.5, 0.5624, 0.563, 0.999, 1.0)] == [0, 0, 0, 1, 7, 7]
