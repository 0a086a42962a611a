"""What the stages of an experiment hand to each other, each under its one name in a run's folder."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from procsup_jax import files, places, records, remote, shards
from procsup_jax.labels.sources import SourceName
from procsup_jax.runner.artefacts import Artefact, Json, JsonRows
from procsup_jax.types import Problem, Sample, Score, StepLabels

if TYPE_CHECKING:  # what imports jax is imported where it is needed: graphs are made and listed without it
    from jax.sharding import Mesh

    from procsup_jax.models.model import Model
    from procsup_jax.text.encoding import Encoding
    from procsup_jax.text.vocab import Vocab


@dataclasses.dataclass(frozen=True)
class Problems(Artefact[list[Problem]]):
    """The problems of a split."""

    kept: ClassVar[bool] = True
    split: str

    @property
    def path(self) -> str:
        """Return `data/SPLIT.jsonl`."""
        return f"data/{self.split}.jsonl"

    def read(self, path: pathlib.Path) -> list[Problem]:
        """Read the problems."""
        return records.read_problems(path)

    def write(self, path: pathlib.Path, value: Sequence[Problem]) -> None:
        """Write the problems."""
        records.write_problems(path, value)


@dataclasses.dataclass(frozen=True)
class Samples(Artefact[list[Sample]]):
    """Solutions, drawn or searched or chosen."""

    name: str

    @classmethod
    def of(cls, policy: str, problems: Problems, *parts: str) -> Samples:
        """Return a policy's solutions of problems; `parts` tell them from others of the same."""
        return cls(".".join((policy, problems.split, *parts)))

    @property
    def path(self) -> str:
        """Return `samples/NAME.jsonl`."""
        return f"samples/{self.name}.jsonl"

    def read(self, path: pathlib.Path) -> list[Sample]:
        """Read the samples."""
        return records.read_samples(path)

    def write(self, path: pathlib.Path, value: Sequence[Sample]) -> None:
        """Write the samples."""
        records.write_samples(path, value)

    def write_together(self, path: pathlib.Path, value: shards.Part[Sample, Problem]) -> None:
        """Write the samples of all processes, each of which has those of its share of the problems."""
        shards.write_samples(path, value.records, value.items)


@dataclasses.dataclass(frozen=True)
class Labels(Artefact[list[StepLabels]]):
    """The labels that one source gives some samples."""

    samples: Samples
    source: SourceName

    @property
    def path(self) -> str:
        """Return `labels/NAME.SOURCE.jsonl`."""
        return f"labels/{self.samples.name}.{self.source}.jsonl"

    def read(self, path: pathlib.Path) -> list[StepLabels]:
        """Read the labels."""
        return records.read_labels(path)

    def write(self, path: pathlib.Path, value: Sequence[StepLabels]) -> None:
        """Write the labels."""
        records.write_labels(path, value)

    def write_together(self, path: pathlib.Path, value: shards.Part[StepLabels, Sample]) -> None:
        """Write the labels of all processes, each of which has those of its share of the samples."""
        shards.write_labels(path, value.records, value.items)


@dataclasses.dataclass(frozen=True)
class Scores(Artefact[list[Score]]):
    """The scores that one reward model, by its name, gives some samples."""

    samples: Samples
    rm: str

    @property
    def path(self) -> str:
        """Return `scores/NAME.RM.jsonl`."""
        return f"scores/{self.samples.name}.{self.rm}.jsonl"

    def read(self, path: pathlib.Path) -> list[Score]:
        """Read the scores."""
        return records.read_scores(path)

    def write(self, path: pathlib.Path, value: Sequence[Score]) -> None:
        """Write the scores."""
        records.write_scores(path, value)

    def write_together(self, path: pathlib.Path, value: shards.Part[Score, Sample]) -> None:
        """Write the scores of all processes, each of which has those of its share of the samples."""
        shards.write_scores(path, value.records, value.items)


@dataclasses.dataclass(frozen=True)
class StoredModel:
    """Hold a model that lies in a folder; what is not asked for is not read."""

    path: pathlib.Path
    name: str

    def load(self, mesh: Mesh | None = None) -> Model:
        """Read the model, in its shards with a mesh."""
        from procsup_jax.io.models import load_model

        return load_model(self.path, mesh=mesh).replace(name=self.name)

    @property
    def encoding(self) -> Encoding:
        """Return how it reads and writes."""
        from procsup_jax.io.models import load_encoding

        return load_encoding(self.path)

    @property
    def max_len(self) -> int:
        """Return how many tokens it reads."""
        from procsup_jax.io.models import read_header

        return read_header(self.path).config.max_len


@dataclasses.dataclass(frozen=True)
class ModelFolder(Artefact[StoredModel]):
    """A model with all that it needs; what is written may be a model, or one that lies in another folder."""

    name: str

    @property
    def path(self) -> str:
        """Return `models/NAME`."""
        return f"models/{self.name}"

    @property
    def files(self) -> tuple[str, ...]:
        """Return the files that say whether it has changed, its tokenizer's apart."""
        return f"{self.path}/{places.MODEL_PARAMS}", f"{self.path}/{places.MODEL_HEADER}"

    def read(self, path: pathlib.Path) -> StoredModel:
        """Return what gives the model, or a part of it."""
        return StoredModel(path, self.name)

    def write(self, path: pathlib.Path, value: Model | StoredModel) -> None:
        """Write a model, or copy a folder."""
        if isinstance(value, StoredModel):
            with files.whole_folder(path, last=places.MODEL_HEADER) as folder, remote.fetched(value.path) as stored:
                shutil.copytree(stored, folder, dirs_exist_ok=True)
            return
        from procsup_jax.io.models import save_model

        save_model(path, value)

    def write_together(self, path: pathlib.Path, value: Model) -> None:
        """Write a model whose parameters may lie on the devices of several processes; the first writes."""
        self.write(path, value)


@dataclasses.dataclass(frozen=True)
class Vocabulary(Artefact["Vocab"]):
    """The vocabulary that a run trains for its base."""

    @property
    def path(self) -> str:
        """Return its name."""
        return "vocab.model"

    def read(self, path: pathlib.Path) -> Vocab:
        """Read the vocabulary."""
        from procsup_jax.text.vocab import Vocab

        with remote.fetched(path) as local:
            return Vocab.load(local)

    def write(self, path: pathlib.Path, value: Vocab) -> None:
        """Write the vocabulary."""
        with tempfile.TemporaryDirectory() as folder:
            for name in value.save(folder):
                files.write_bytes(path.parent / name, (pathlib.Path(folder) / name).read_bytes())


@dataclasses.dataclass(frozen=True)
class Report(Artefact[None]):
    """report.html and its figures, made of what results.json and examples.jsonl hold."""

    @property
    def path(self) -> str:
        """Return its name."""
        return "report.html"

    def read(self, path: pathlib.Path) -> None:
        """Read nothing: a report is for people."""

    def write(self, path: pathlib.Path, value: tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]) -> None:
        """Write the report of results and examples."""
        from procsup_jax.report.page import build_report

        build_report(*value, path)


def history(model: ModelFolder) -> JsonRows:
    """Return the file with the losses of the fit that made a model."""
    return JsonRows(f"{model.path}.history.jsonl")


def curve(policy: str) -> Json:
    """Return the file with an approach's errors by epoch."""
    return Json(f"curves/{policy}.json", indent=None)


def evaluation(policy: str, split: str) -> Json:
    """Return the file with a policy's metrics on a set."""
    return Json(f"evaluations/{policy}.{split}.json")


def examples(policy: str, split: str) -> JsonRows:
    """Return the file with a policy's example solutions on a set."""
    return JsonRows(f"evaluations/{policy}.{split}.examples.jsonl")


def on_text(policy: str, split: str) -> Json:
    """Return the file with what is measured of a policy's solutions on a set of real problems."""
    return Json(f"evaluations/{policy}.{split}.text.json")


LOOKUP, REWARD_MODELS, DIFFERENCES, SUPERVISION = (
    Json(f"evaluations/{name}.json") for name in ("lookup", "reward_models", "differences", "supervision")
)
LABEL_SOURCES, PROCESSBENCH = (Json(f"evaluations/{name}.json") for name in ("label_sources", "processbench"))
RESULTS, EXAMPLES, REPORT = Json("results.json"), JsonRows("examples.jsonl"), Report()
