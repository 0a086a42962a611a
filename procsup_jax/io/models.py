"""Finished models: a folder that holds everything, `model.json`, `params.safetensors` and the tokenizer's files.

`model.json` is an object with the format's name, the network's config, the layout, the head (null: a policy), the type
and digest of the stored arrays, and metadata.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from jax.sharding import Mesh

from procsup_jax import fields, files, json_lines, places, processes, remote, temporaries
from procsup_jax.errors import UserError
from procsup_jax.io.kinds import Dtype
from procsup_jax.io.params import PARAMS, STORED, read_params, to_arrays
from procsup_jax.io.tensors import write_tensors
from procsup_jax.json_lines import shown
from procsup_jax.models import api, roles
from procsup_jax.models.model import Model
from procsup_jax.ranges import hints_of
from procsup_jax.text.encoding import Encoding
from procsup_jax.text.layout import Layout
from procsup_jax.text.tokenizer import load_tokenizer

FORMAT = "procsup_jax model 2"
HEADER = places.MODEL_HEADER
SHIPPED = places.SHIPPED_BASE
_KEYS: Mapping[str, Any] = {
    "config": dict, "layout": dict, "head": (dict, type(None)), "dtype": str, "digest": str, "metadata": dict,
}  # fmt: skip


def save_model(path: files.PathLike, model: Model, *, dtype: Dtype | str = "float32") -> str:
    """Write a model to the folder `path`, whole or not at all, and return the digest of its arrays.

    Equal models give equal bytes. `dtype` is the type that parameters are stored in (see `params.to_arrays`, also for
    errors). With several processes all must call; one writes.
    """
    arrays, digest = to_arrays(model.params, dtype)
    if processes.is_first():
        header = {
            "format": FORMAT,
            "config": model.config.to_json(),
            "layout": model.layout.to_json(),
            "head": api.head_to_json(model.head),
            "dtype": dtype,
            "digest": digest,
            "metadata": dict(model.metadata),
        }
        with files.whole_folder(path, last=HEADER) as folder:
            write_tensors(folder / PARAMS, arrays)
            files.write_text(folder / HEADER, json.dumps(header, indent=2, sort_keys=True) + "\n")
            model.tokenizer.save(folder)
    return digest


class Header(NamedTuple):
    """Hold what `model.json` says: what the model is, before any of its arrays is read."""

    path: pathlib.Path
    config: api.ModelConfig
    layout: Layout
    head: api.Head | None
    digest: str
    metadata: Mapping[str, Any]

    def check_policy(self, given: str) -> None:
        """Raise UserError, quoting the flag as it was `given`, where the folder holds a reward model."""
        roles.check_policy(given, self.head, "give a policy")


def load_model(path: files.PathLike, *, config: api.ModelConfig | None = None, mesh: Mesh | None = None) -> Model:
    """Read a model, its arrays in the config's `param_dtype` and, with a mesh, in their shards.

    `path` is its folder, or "worlds_base", the one that ships with the package. `config` replaces the stored one, for
    instance to run in another compute type. Raises UserError when the folder is missing or damaged, and when the arrays
    are not those of the config and the head.
    """
    header = read_header(path)
    config = config or header.config
    with _local(path) as folder:
        params = read_params(folder, config, header.head, header.digest, mesh)
        return Model(
            config, params, load_tokenizer(folder), header.layout, header.head, mesh,
            name=str(path), metadata=header.metadata, digest=header.digest,
        )  # fmt: skip


def load_policy(path: files.PathLike, flag: str, *, mesh: Mesh | None = None, force: bool = False) -> Model:
    """Read a policy; `force` takes a reward model's trunk for one.

    Raises UserError, naming the `flag` that gave the folder, for a reward model before its arrays are read, and as
    `load_model` does.
    """
    header = read_header(path)
    if not force:
        remedy = "give a policy, or pass --force to take it for one without its head"
        roles.check_policy(f"--{flag}={path}", header.head, remedy)
    model = load_model(path, mesh=mesh)
    return model if model.head is None else model.with_head(None)


def load_encoding(path: files.PathLike) -> Encoding:
    """Read a model's tokenizer and layout alone; errors as for `load_model`."""
    with _local(path, but=[PARAMS]) as folder:
        return Encoding(load_tokenizer(folder), read_header(path).layout)


def read_digest(path: files.PathLike) -> str:
    """Return the digest of a model's stored arrays as its folder states it."""
    return read_header(path).digest


def model_folder(path: files.PathLike) -> pathlib.Path:
    """Return the folder of a model, for "worlds_base" that of the base that ships with the package."""
    if str(path) == SHIPPED:
        return places.SHIPPED_MODELS / SHIPPED
    temporaries.settle(pathlib.Path(path))
    return pathlib.Path(path)


@contextlib.contextmanager
def _local(path: files.PathLike, but: Sequence[str] = ()) -> Iterator[pathlib.Path]:
    """Give the folder of a model; of one in an object store a copy, `but` some of its files."""
    if remote.is_remote(path):
        with files.explain_os_errors(path, "read"), remote.fetched(path, but) as folder:
            yield folder
    else:
        yield model_folder(path)


def read_header(path: files.PathLike) -> Header:
    """Read what a model's folder says it is; raise UserError where it is missing or damaged."""
    file = (remote.path_of(path) if remote.is_remote(path) else model_folder(path)) / HEADER
    with files.explain_os_errors(file, "read"):
        content = file.read_bytes()
    try:
        values = json_lines.loads(content)
    except ValueError as error:
        raise _damaged(file, f"no JSON, {error}") from error
    if not isinstance(values, dict) or "format" not in values:
        raise _damaged(file, "is no object with a format")
    if values["format"] != FORMAT:
        raise UserError(f"{file}: format {shown(values['format'])}, expected {FORMAT!r}; use the version that wrote it")
    for name, kind in _KEYS.items():
        if name not in values or not isinstance(values[name], kind):
            raise _damaged(file, f"{name} is {shown(values[name])}" if name in values else f"{name} is missing")
    if values["dtype"] not in STORED:
        raise _damaged(file, f"dtype is {shown(values['dtype'])}")
    layout = Layout.from_json(values["layout"], f"{file}: layout")
    config = _read_config(file, values["config"])
    try:
        head = api.head_from_json(values["head"])
        api.abstract_params(config, head)
    except UserError as error:
        raise UserError(f"{file}: {error}") from error
    except (ValueError, TypeError, OverflowError) as error:
        raise _damaged(file, f"the sizes of config or head are no model's ({error})") from error
    return Header(
        path=remote.path_of(path),
        config=config,
        layout=layout,
        head=head,
        digest=values["digest"],
        metadata=values["metadata"],
    )


def _read_config(file: pathlib.Path, values: Mapping[str, Any]) -> api.ModelConfig:
    unknown = [name for name in values if name not in hints_of(api.ModelConfig)]
    if unknown:
        raise UserError(f"{file}: config has no key {unknown[0]!r}; use the version of procsup_jax that wrote it")
    try:
        return fields.build(api.ModelConfig, values, "config")
    except UserError as error:
        raise _damaged(file, str(error)) from error


def _damaged(file: pathlib.Path, what: str) -> UserError:
    return UserError(
        f"{file} is damaged ({what}): expected the JSON object that save_model writes; make or copy it again"
    )
