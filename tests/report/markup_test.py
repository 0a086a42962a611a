import re

from hypothesis import given
from hypothesis import strategies as st

from procsup_jax.report import markup


@given(st.floats(-1e6, 1e6))
def test_coordinates_are_plain_and_within_half_a_hundredth(value):
    assert re.fullmatch(r"-?\d+(\.\d{1,2})?", markup.number(value))
    assert abs(float(markup.number(value)) - value) <= 0.00501
    assert markup.number(-0.001) == "0"


@given(st.text())
def test_text_and_attributes_are_escaped(value):
    written = markup.element("b", markup.text(value), title=value)
    assert written.count("<") == 2 and written.count(">") == 2 and written.count('"') == 2
