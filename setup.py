"""What setup.cfg cannot say: configs/ is installed inside the package, where `--config=NAME` finds it."""

from __future__ import annotations

import pathlib

import setuptools
from setuptools.command.build_py import build_py

CONFIGS = pathlib.Path("configs")


class BuildPy(build_py):
    """Copy configs/ into what is built; an editable install reads the repository's own."""

    def _configs(self) -> dict[str, str]:
        package = pathlib.Path(self.build_lib) / "procsup_jax"
        return {str(package / path): str(path) for path in sorted(CONFIGS.glob("*.py"))}

    def run(self) -> None:
        """Build the package, then add the configurations."""
        super().run()
        if not self.editable_mode:
            for target, source in self._configs().items():
                self.mkpath(str(pathlib.Path(target).parent))
                self.copy_file(source, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Return the files that are built."""
        return [*super().get_outputs(include_bytecode), *([] if self.editable_mode else self._configs())]


setuptools.setup(cmdclass={"build_py": BuildPy})
