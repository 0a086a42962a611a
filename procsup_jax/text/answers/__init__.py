"""Final answers: where they stand in a solution, their normal form, and when two are equal."""

from procsup_jax.text.answers.boxes import boxed as boxed
from procsup_jax.text.answers.equality import answer_key as answer_key
from procsup_jax.text.answers.equality import is_answer as is_answer
from procsup_jax.text.answers.equality import same_answer as same_answer
from procsup_jax.text.answers.reading import Found as Found
from procsup_jax.text.answers.reading import Reading as Reading
from procsup_jax.text.answers.reading import extract_answer as extract_answer
from procsup_jax.text.answers.reading import gold_answer as gold_answer
from procsup_jax.text.answers.reading import has_answer_marker as has_answer_marker
from procsup_jax.text.answers.reading import read_answer as read_answer
from procsup_jax.text.answers.values import normalise_answer as normalise_answer
