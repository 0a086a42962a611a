"""Put a trained base into the package: python experiments/worlds_base/ship.py runs/worlds_base."""

import pathlib
import sys

from procsup_jax.io.models import SHIPPED, read_model, shipped
from procsup_jax.io.params import save_params


def main(workdir: str) -> None:
    """Write the run's base as float16, its vocabulary beside it."""
    saved, vocab = read_model(pathlib.Path(workdir) / "models/base", None)
    digest = save_params(shipped(SHIPPED), saved.params, saved.config, saved.metadata, dtype="float16")
    vocab.save(shipped(SHIPPED) / "vocab.model")
    print(f"{SHIPPED}: digest {digest}")


if __name__ == "__main__":
    main(sys.argv[1])
