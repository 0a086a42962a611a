import re

from procsup_jax.report import markup, strip
from procsup_jax.report.results import Estimate


def test_strip_draws_the_interval_and_the_paper_s_tick():
    scale = strip.strip_scale([Estimate(0.2, 0.1, 0.3)], [0.4])
    drawn = strip.strip(Estimate(0.2, 0.1, 0.3), 0.4, scale, "orm")
    interval = re.search(r'x1="([\d.]+)"[^>]*x2="([\d.]+)"[^>]*class="interval"', drawn)
    assert [float(x) for x in interval.groups()] == [round(scale(0.1), 2), round(scale(0.3), 2)]
    assert f'x1="{markup.number(scale(0.4))}"' in drawn and 'aria-hidden="true"' in drawn
    assert "circle" not in strip.strip(None, 0.4, scale, "orm") and "paper-tick" not in strip.strip(
        None, None, scale, ""
    )
