"""Put a run's base into the package, or into another folder of models.

python experiments/worlds_base/ship.py RUN [FOLDER]
"""

import pathlib
import sys

from procsup_jax.io.models import SHIPPED, load_model, model_folder, save_model


def main(workdir: str, folder: str = str(model_folder(SHIPPED))) -> None:
    """Write the run's base as float16, its vocabulary beside it."""
    digest = save_model(folder, load_model(pathlib.Path(workdir) / "models/base"), dtype="float16")
    print(f"{folder}: digest {digest}")


if __name__ == "__main__":
    main(*sys.argv[1:])
