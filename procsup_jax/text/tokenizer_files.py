"""What the files beside a tokenizer say: ends, bos, padding, special tokens, the chat template."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from procsup_jax import files, json_lines
from procsup_jax.errors import UserError

CONFIG, SPECIALS, GENERATION = "tokenizer_config.json", "special_tokens_map.json", "generation_config.json"
MODEL_CONFIG, TEMPLATE = "config.json", "chat_template.jinja"


@dataclasses.dataclass(frozen=True)
class Beside:
    """Hold what the files in a tokenizer's folder say about it; None or nothing where they do not.

    `contents` are the files to save with the tokenizer, as they were read. `specials` names special tokens. `eos_ids`
    are the generation's, those of config.json where it has none.
    """

    folder: pathlib.Path
    contents: Mapping[str, bytes]
    bos: str | None = None
    eos: str | None = None
    pad: str | None = None
    specials: frozenset[str] = frozenset()
    eos_ids: tuple[int, ...] = ()
    add_bos: bool | None = None
    chat_template: str | None = None
    added: Mapping[int, str] = dataclasses.field(default_factory=dict)

    def ends(self, token_id: Callable[[str], int | None], size: int, own: int | None = None) -> tuple[int, ...]:
        """Return the ids that end a text, the one to write first; `own` is what the tokenizer's own file names.

        Raises UserError where nothing names one, or where it is no token.
        """
        first = self.named("eos_token", self.eos, token_id)
        ids = [own if first is None else first, *self.eos_ids]
        found = tuple(dict.fromkeys(i for i in ids if i is not None))
        if not found:
            raise UserError(
                f"{self.folder}: nothing names the token that ends a text; expected eos_token in {CONFIG} or "
                f"eos_token_id in {GENERATION} or {MODEL_CONFIG}"
            )
        if not all(0 <= i < size for i in found):
            raise UserError(f"{self.folder}: eos_token_id is {list(self.eos_ids)}; expected ids below {size}")
        return found

    def named(self, what: str, name: str | None, token_id: Callable[[str], int | None]) -> int | None:
        """Return the id of a token that the files name, None where they name none; UserError where it is no token."""
        if name is None:
            return None
        found = token_id(name)
        if found is None:
            raise UserError(f"{self.folder}: {what} is {name!r} in {CONFIG}, which is no token of this tokenizer")
        return found

    def check_added(self, token_id: Callable[[str], int | None], size: int, name: str) -> None:
        """Raise UserError where the configuration adds tokens that the tokenizer's own file lacks."""
        lacking = [added for i, added in self.added.items() if i >= size or token_id(added) is None]
        if lacking:
            raise UserError(
                f"{self.folder}: {CONFIG} adds {len(lacking)} tokens (such as {lacking[0]!r}) that {name} lacks; "
                "expected a tokenizer.json with them, which transformers' save_pretrained writes"
            )

    def save(self, folder: files.PathLike) -> tuple[str, ...]:
        """Write the files into another folder and return their names."""
        for name, content in self.contents.items():
            files.write_bytes(pathlib.Path(folder) / name, content)
        return tuple(self.contents)


def read_beside(folder: pathlib.Path) -> Beside:
    """Read the files in a tokenizer's folder; raise UserError where one is damaged."""
    contents = {
        name: (folder / name).read_bytes()
        for name in (CONFIG, SPECIALS, GENERATION, MODEL_CONFIG, TEMPLATE)
        if (folder / name).is_file()
    }
    config, specials, generation, model = (
        _read_object(contents.get(name), folder / name) for name in (CONFIG, SPECIALS, GENERATION, MODEL_CONFIG)
    )
    ends = _ids(generation.get("eos_token_id"), folder / GENERATION)
    if not ends and (ends := _ids(model.get("eos_token_id"), folder / MODEL_CONFIG)):
        contents[GENERATION] = json.dumps({**generation, "eos_token_id": list(ends)}, indent=2).encode()
    contents.pop(MODEL_CONFIG, None)
    bos, eos, pad = (_content(config.get(key) or specials.get(key)) for key in ("bos_token", "eos_token", "pad_token"))
    added = config.get("added_tokens_decoder") or {}
    lists = [
        each.get(key) for each in (config, specials) for key in ("additional_special_tokens", "extra_special_tokens")
    ]
    names = {name for each in lists for name in _contents(each)}
    names |= {name for each in added.values() if each.get("special") and (name := _content(each))}
    template = contents[TEMPLATE].decode("utf-8", "replace") if TEMPLATE in contents else None
    return Beside(
        folder=folder,
        contents=contents,
        bos=bos,
        eos=eos,
        pad=pad,
        specials=frozenset(names | {name for name in (bos, eos, pad) if name}),
        eos_ids=ends,
        add_bos=config.get("add_bos_token"),
        chat_template=template if template is not None else _template(config.get("chat_template"), folder / CONFIG),
        added={int(key): name for key, each in added.items() if (name := _content(each))},
    )


def read_bytes(path: pathlib.Path) -> bytes:
    """Return a file's bytes; raise UserError where they cannot be read."""
    with files.explain_os_errors(path, "read"):
        return path.read_bytes()


def _read_object(content: bytes | None, path: pathlib.Path) -> dict[str, Any]:
    if content is None:
        return {}
    try:
        read = json_lines.loads(content, finite=False)
    except ValueError as error:
        raise UserError(f"{path}: is no JSON ({error}); download it again or leave it out") from error
    if not isinstance(read, dict):
        raise UserError(f"{path}: holds {type(read).__name__}, expected a JSON object")
    return read


def _ids(value: Any, path: pathlib.Path) -> tuple[int, ...]:
    ids = [] if value is None else value if isinstance(value, list) else [value]
    if not all(isinstance(i, int) and not isinstance(i, bool) for i in ids):
        raise UserError(f"{path}: eos_token_id is {value!r}, expected an id or a list of ids")
    return tuple(ids)


def _content(token: Any) -> str | None:
    """Return a token's name; files hold it bare or as an object."""
    name = token.get("content") if isinstance(token, dict) else token
    return name if isinstance(name, str) and name else None


def _contents(tokens: Any) -> list[str]:
    """Return the names of a list of tokens, or of an object whose values they are."""
    tokens = list(tokens.values()) if isinstance(tokens, dict) else tokens
    return [name for token in tokens if (name := _content(token))] if isinstance(tokens, list) else []


def _template(value: Any, path: pathlib.Path) -> str | None:
    if value is None or isinstance(value, str):
        return value
    try:
        named = {each["name"]: each["template"] for each in value}
        return named.get("default", next(iter(named.values())))
    except (TypeError, KeyError, StopIteration) as error:
        raise UserError(f"{path}: chat_template is neither a template nor a list of named ones") from error
