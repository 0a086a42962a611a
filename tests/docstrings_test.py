import dataclasses

from procsup_jax.docstrings import field_docs


@dataclasses.dataclass(frozen=True)
class Described:
    """Say what this is."""

    a: int = 1
    """What
    a is."""
    b: int = 2
    c: str = "x"
    """What c is."""

    def d(self):
        """Return nothing."""


def test_the_string_after_a_field_is_what_is_said_of_it():
    assert field_docs(Described) == {"a": "What a is.", "c": "What c is."}


def test_a_class_without_source_says_nothing():
    assert field_docs(dataclasses.make_dataclass("Made", [("a", int)])) == {}


@dataclasses.dataclass(frozen=True)
class Further(Described):
    """Say what this adds."""

    c: str = "y"
    """What c is here."""
    e: int = 3
    """What e is."""


def test_what_a_class_is_made_from_is_said_too():
    assert field_docs(Further) == {"a": "What a is.", "c": "What c is here.", "e": "What e is."}
