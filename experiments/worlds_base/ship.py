"""Put a run's base into the package, or into another folder of models.

python experiments/worlds_base/ship.py RUN [FOLDER]
"""

import pathlib
import sys

from procsup_jax.io.models import SHIPPED, read_model, shipped
from procsup_jax.io.params import save_params


def main(workdir: str, folder: str = str(shipped(SHIPPED))) -> None:
    """Write the run's base as float16, its vocabulary beside it."""
    saved, vocab = read_model(pathlib.Path(workdir) / "models/base", None)
    digest = save_params(folder, saved.params, saved.config, saved.metadata, dtype="float16")
    vocab.save(folder)
    print(f"{folder}: digest {digest}")


if __name__ == "__main__":
    main(*sys.argv[1:])
