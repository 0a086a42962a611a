"""`python -m procsup_jax` is `procsup`."""

from procsup_jax.console import console

if __name__ == "__main__":
    console()
