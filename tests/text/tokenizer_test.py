"""One suite for every kind of tokenizer, then what each kind does of its own."""

import concurrent.futures
import json
import pathlib
import shutil

import hypothesis
import hypothesis.strategies as st
import pytest
import sentencepiece
import tokenizers
from tokenizer_fixtures import word_problems

from procsup_jax.errors import UserError
from procsup_jax.text.pieces import UTF8
from procsup_jax.text.tokenizer import Tokenizer, load_tokenizer

SMOLLM2 = pathlib.Path(__file__).resolve().parents[2] / "models" / "smollm2"
KINDS = {
    "vocab": "procsup",
    "bpe": "huggingface",
    "digits_bpe": "huggingface",
    "triples_bpe": "huggingface",
    "prepend": "huggingface",
    "metaspace": "huggingface",
    "gemma": "huggingface",
    "unigram": "huggingface",
    "sentencepiece": "sentencepiece",
    "unigram_model": "sentencepiece",
}
NAMES = ("<s>", "</s>", "<unk>", "<pad>", "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<extra_0>", "<correct>")
FRAGMENTS = (
    *NAMES,
    *("<0x41>", "<mark>", "<sum>", "<", "s>", " <<", "=<<", ".\n\n", "12"),
    *("\r\n", "\n\n", "  ", "\u2581", "\ud800", "\ufdd0"),
)
ANY_TEXT = (
    st.text(st.characters(), max_size=60)
    | st.text("ab <>#=+-*/().,019\n\r\t\u2581é你😀\u0000\ufffd\u030a\u00bd\ud83d\ude00", max_size=60)
    | st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join)
)
AWKWARD = (
    *("", " ", "\n", "\n\n a", "  two  blanks ", "\ttab\t", "\r\n", "x\u0000y", "a\u2581b", "\ud800 lone"),
    *("\ufb01 \u00bd \u00c5 A\u030a", "\ufeff\u200b", "\U0001f469\u200d\U0001f467", "\U0010ffff"),
)


@pytest.fixture(scope="session")
def folder(request, kind) -> pathlib.Path:
    if kind == "smollm2" and not SMOLLM2.is_dir():
        pytest.skip("models/smollm2 is absent: make smollm2")
    return SMOLLM2 if kind == "smollm2" else request.getfixturevalue(f"{kind}_folder")


@pytest.fixture(scope="session", params=[*KINDS, "smollm2"])
def kind(request) -> str:
    return request.param


@pytest.fixture(scope="session")
def tokenizer(folder) -> Tokenizer:
    return load_tokenizer(folder)


def spelled(tokenizer: Tokenizer, ids: list[int]) -> bytes:
    pieces = tokenizer.token_bytes()
    return b"".join(pieces[i] for i in ids)


def special_ids(tokenizer: Tokenizer) -> set[int]:
    return {i for i, piece in enumerate(tokenizer.token_bytes()) if not piece}


def known_names(tokenizer: Tokenizer) -> list[str]:
    return [name for name in NAMES if tokenizer.token_id(name) in special_ids(tokenizer) and name != "<unk>"]


def written(tokenizer: Tokenizer, text: str) -> str:
    """Return `text` without the characters that a tokenizer lacks bytes for."""
    pieces = tokenizer.token_bytes()
    lacking = set() if tokenizer.lossless else UTF8 - {piece[0] for piece in pieces if len(piece) == 1}
    return "".join(c for c in text if not lacking & set(c.encode("utf-8", "surrogatepass"))) if lacking else text


def check_spelling(tokenizer: Tokenizer, text: str) -> None:
    text = written(tokenizer, text)
    ids = tokenizer.encode(text)
    assert spelled(tokenizer, ids) == text.encode("utf-8", "surrogatepass")
    assert not special_ids(tokenizer) & set(ids)
    assert all(0 <= i < tokenizer.size for i in ids)
    if "\ud83d\ude00" not in text:  # two surrogates are bytes of their own, but read as they stand
        assert tokenizer.decode(ids) == text


def test_it_says_what_it_is(tokenizer, kind, folder):
    assert tokenizer.kind == KINDS.get(kind, "huggingface")
    assert tokenizer.lossless == (kind != "smollm2")  # which has no token for six control characters
    assert len(tokenizer.digest) == 12 and int(tokenizer.digest, 16) >= 0
    assert load_tokenizer(folder).digest == tokenizer.digest
    ids = {tokenizer.pad_id, *tokenizer.eos_ids} | ({tokenizer.bos_id} - {None})
    assert tokenizer.eos_ids and all(0 <= i < tokenizer.size for i in ids)
    assert ids <= special_ids(tokenizer)


@hypothesis.given(text=ANY_TEXT)
def test_the_tokens_of_any_text_spell_it_and_none_is_special(tokenizer, text):
    check_spelling(tokenizer, text)


@pytest.mark.parametrize("text", AWKWARD)
def test_the_tokens_of_awkward_text_spell_it(tokenizer, text):
    check_spelling(tokenizer, text)


@hypothesis.given(text=ANY_TEXT)
def test_a_document_starts_with_a_blank_in_front_at_most(tokenizer, text):
    text = written(tokenizer, text)
    data = text.encode("utf-8", "surrogatepass")
    assert spelled(tokenizer, tokenizer.encode(text, start=True)) in (data, b" " + data)


def test_tokens_are_as_many_as_ids_and_words_are_few(tokenizer):
    text = word_problems()[0]
    assert len(tokenizer.token_bytes()) == tokenizer.size
    assert len(tokenizer.encode(text)) < len(text) / 1.2


def test_special_tokens_are_plain_text_unless_asked_for(tokenizer):
    names = known_names(tokenizer)
    assert names
    for name in names:
        text = f"a {name}\nb"
        ids = [tokenizer.token_id(name)]
        assert ids[0] not in tokenizer.encode(text)
        expected = [*tokenizer.encode("a "), *ids, *tokenizer.encode("\nb")]
        assert tokenizer.encode(text, special=True) == expected
        assert tokenizer.encode(name + name, special=True) == ids * 2
        assert tokenizer.decode(expected) == "a \nb"


@hypothesis.given(parts=st.lists(ANY_TEXT | st.sampled_from(NAMES), max_size=5))
def test_special_reading_is_plain_reading_between_special_tokens(tokenizer, parts):
    names = known_names(tokenizer)
    parts = [part for part in parts if part in names or "<" not in part]
    merged: list[str] = []
    for part in parts:
        if merged and part not in names and merged[-1] not in names:
            merged[-1] += part
        else:
            merged.append(part)
    expected = [[tokenizer.token_id(part)] if part in names else tokenizer.encode(part) for part in merged]
    assert tokenizer.encode("".join(merged), special=True) == [i for ids in expected for i in ids]


def test_names_that_are_no_piece_have_no_id(tokenizer):
    assert tokenizer.token_id("no such piece, surely") is None
    assert tokenizer.token_id("") is None


def test_broken_utf8_gives_the_replacement_character(tokenizer):
    ids = tokenizer.encode("\U0001f9ff")
    assert tokenizer.decode(ids[:-1]).startswith("\ufffd")
    assert tokenizer.decode([*ids[1:], *tokenizer.encode("a")]).endswith("a")
    assert tokenizer.decode(iter([])) == ""


def test_a_saved_tokenizer_is_the_same(tokenizer, folder, tmp_path: pathlib.Path):
    names = tokenizer.save(tmp_path / "model")
    assert sorted(names) == sorted(path.name for path in (tmp_path / "model").iterdir())
    again = load_tokenizer(tmp_path / "model")
    for what in ("kind", "size", "digest", "lossless", "bos_id", "eos_ids", "pad_id", "chat_template"):
        assert getattr(again, what) == getattr(tokenizer, what), what
    assert again.token_bytes() == tokenizer.token_bytes()
    text = "".join(word_problems()[:2])
    assert again.encode(text, start=True) == tokenizer.encode(text, start=True)
    for name in names:
        if (folder / name).exists():
            assert (tmp_path / "model" / name).read_bytes() == (folder / name).read_bytes()


def test_a_single_file_is_read_with_what_stands_beside_it(tokenizer, folder):
    path = next(
        folder / name for name in ("vocab.model", "tokenizer.json", "tokenizer.model") if (folder / name).exists()
    )
    assert load_tokenizer(str(path)).eos_ids == tokenizer.eos_ids


def test_threads_read_alike(tokenizer):
    texts = word_problems() * 3
    alone = [tokenizer.encode(text, start=True) for text in texts]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda text: tokenizer.encode(text, start=True), texts))
        assert list(pool.map(tokenizer.decode, together)) == [tokenizer.decode(ids) for ids in alone]
    assert together == alone


# What each kind does of its own.


@pytest.mark.parametrize("kind", [kind for kind, library in KINDS.items() if library == "huggingface"])
def test_a_tokenizer_json_is_read_as_the_library_reads_it(request, kind):
    folder = request.getfixturevalue(f"{kind}_folder")
    tokenizer, library = load_tokenizer(folder), tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    library.no_truncation()
    names = [name for name in known_names(tokenizer) if library.token_to_id(name) is not None]
    texts = [*word_problems()[:4], names[0].join(word_problems()[:3]), f"{names[0]}{names[-1]}a\n\n  b{names[0]}"]
    for text in texts:
        assert tokenizer.encode(text, special=True, start=True) == library.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("kind", ["sentencepiece", "unigram_model"])
def test_a_tokenizer_model_is_read_as_the_library_reads_it(request, kind):
    folder = request.getfixturevalue(f"{kind}_folder")
    library = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    for text in word_problems()[:4]:
        assert load_tokenizer(folder).encode(text, start=True) == library.encode(text)


def test_what_starts_and_ends_a_document(request):
    def of(kind):
        return load_tokenizer(request.getfixturevalue(f"{kind}_folder"))

    def names(tokenizer, *names):
        return tuple(tokenizer.token_id(name) for name in names)

    ours, bpe, triples, gemma = of("vocab"), of("bpe"), of("triples_bpe"), of("gemma")
    assert (ours.bos_id, ours.eos_ids, ours.pad_id) == (None, names(ours, "<eos>"), ours.token_id("<pad>"))
    assert (bpe.bos_id, bpe.eos_ids) == (None, names(bpe, "<|im_end|>", "<|endoftext|>"))
    assert bpe.pad_id == bpe.token_id("<|endoftext|>") and "<|im_start|>" in bpe.chat_template
    assert triples.bos_id == triples.token_id("<|begin_of_text|>")  # the post-processor's word
    assert of("prepend").bos_id == of("metaspace").bos_id == of("sentencepiece").bos_id == 1
    assert of("unigram").bos_id is None  # add_bos_token is false
    assert of("unigram_model").pad_id == 3
    assert gemma.eos_ids == names(gemma, "</s>", "<end_of_turn>")  # the latter only in config.json
    assert gemma.pad_id == gemma.eos_ids[0]


@pytest.mark.parametrize("kind", ["sentencepiece", "unigram_model", "prepend", "metaspace", "unigram"])
def test_a_dummy_prefix_is_written_where_a_document_starts(request, kind):
    tokenizer = load_tokenizer(request.getfixturevalue(f"{kind}_folder"))
    assert spelled(tokenizer, tokenizer.encode("apples", start=True)) == b" apples"
    assert tokenizer.encode("apples", start=True) == tokenizer.encode(" apples")


def test_byte_level_tokenizers_may_have_a_prefix_too(digits_bpe_folder, tmp_path: pathlib.Path):
    def prefix(spec):
        spec["pre_tokenizer"]["pretokenizers"][1]["add_prefix_space"] = True

    tokenizer = load_tokenizer(edited(digits_bpe_folder, tmp_path, prefix))
    assert tokenizer.encode("apples", start=True) == tokenizer.encode(" apples") != tokenizer.encode("apples")


def test_the_files_beside_may_name_more_special_tokens(gemma_folder, tmp_path: pathlib.Path):
    for name, changes in (
        ("list", {"additional_special_tokens": ["\n\n"]}),
        ("object", {"extra_special_tokens": {"break_token": "\n\n"}}),
        ("decoder", {"added_tokens_decoder": {"463": {"content": "\n\n", "special": True}}}),
    ):
        tokenizer = load_tokenizer(configured(gemma_folder, tmp_path / name, **changes))
        assert tokenizer.encode("\n\n") != [tokenizer.token_id("\n\n")] == tokenizer.encode("\n\n", special=True)
        assert tokenizer.lossless


def test_where_the_prefix_goes_behind_special_tokens(request):
    text = "<s>apples</s>books"
    always, first = (load_tokenizer(request.getfixturevalue(f"{kind}_folder")) for kind in ("prepend", "metaspace"))
    sentencepiece = load_tokenizer(request.getfixturevalue("sentencepiece_folder"))
    for tokenizer in (always, sentencepiece):
        assert tokenizer.decode(tokenizer.encode(text, special=True, start=True)) == " apples books"
    assert first.decode(first.encode(text, special=True, start=True)) == "applesbooks"


def test_digits_are_read_as_each_kind_groups_them(request):
    def pieces(kind, text):
        tokenizer = load_tokenizer(request.getfixturevalue(f"{kind}_folder"))
        return [tokenizer.decode([i]) for i in tokenizer.encode(text)]

    assert pieces("digits_bpe", "a 1234") == ["a", " ", "1", "2", "3", "4"]
    assert " 12" in pieces("bpe", "a 12")
    assert pieces("triples_bpe", "1234")[-1] == "4"
    assert ".\n\n" in pieces("bpe", "apples.\n\nThey") and " <<" in pieces("bpe", "= <<12")


def test_added_tokens_that_are_not_special_are_ordinary_text(request):
    bpe, gemma = (load_tokenizer(request.getfixturevalue(f"{kind}_folder")) for kind in ("bpe", "gemma"))
    assert bpe.encode("    ") == [bpe.token_id("    ")] and spelled(bpe, bpe.encode("    ")) == b"    "
    assert gemma.encode("\n\n") == [gemma.token_id("\n\n")]
    assert gemma.token_bytes()[gemma.token_id("\u2581\u2581")] == b"  "
    assert gemma.token_bytes()[gemma.token_id("<|im_end|>")] == b""  # named like a special one, though not marked


def test_reserved_names_of_ours_are_tokens(vocab_folder):
    ours = load_tokenizer(vocab_folder)
    named = [ours.token_id(name) for name in ("<correct>", "<incorrect>", "<sep>", "<eos>")]
    assert named == [ours.correct_id, ours.incorrect_id, ours.sep_id, ours.eos_id]
    assert ours.encode("ab<correct>\n", special=True) == [*ours.encode("ab"), ours.correct_id, ours.sep_id]


def test_user_defined_symbols_are_text_and_control_symbols_are_not(unigram_model_folder):
    tokenizer = load_tokenizer(unigram_model_folder)
    assert tokenizer.encode("<sum>") == [tokenizer.token_id("<sum>")]
    assert tokenizer.token_id("<mark>") not in tokenizer.encode("<mark>")
    assert tokenizer.encode("<mark>", special=True) == [tokenizer.token_id("<mark>")]


def test_a_normaliser_makes_a_tokenizer_lossy(nfkc_folder, bpe_folder, tmp_path: pathlib.Path):
    assert not load_tokenizer(nfkc_folder).lossless
    changed = edited(bpe_folder, tmp_path, lambda spec: spec.update(normalizer={"type": "NFC"}))
    assert not load_tokenizer(changed).lossless
    assert load_tokenizer(changed).decode(load_tokenizer(changed).encode("A\u030a \ud800")) == "\u00c5 \ud800"


def test_where_a_byte_has_no_token_a_surrogate_is_a_replacement_character(bpe_folder, tmp_path: pathlib.Path):
    def drop(spec):
        spec["model"]["vocab"] = {
            ("other" if piece == "\u00ed" else piece): i for piece, i in spec["model"]["vocab"].items()
        }

    tokenizer = load_tokenizer(edited(bpe_folder, tmp_path, drop))
    assert not tokenizer.lossless and tokenizer.decode(tokenizer.encode("a\ud800")) == "a\ufffd"


def test_special_names_that_the_model_would_merge_stay_text(bpe_folder, tmp_path: pathlib.Path):
    def merge(spec):
        spec["pre_tokenizer"] = {
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": True,
            "use_regex": False,
        }
        spec["model"]["ignore_merges"] = True

    tokenizer = load_tokenizer(edited(bpe_folder, tmp_path, merge))
    for name in ("<|im_end|>", "<extra_0>", "<extra_0><extra_0>"):
        check_spelling(tokenizer, name)


def test_special_tokens_may_take_in_blanks(bpe_folder, tmp_path: pathlib.Path):
    def strip(spec):
        next(token for token in spec["added_tokens"] if token["content"] == "<extra_0>").update(
            lstrip=True, rstrip=True
        )

    tokenizer = load_tokenizer(edited(bpe_folder, tmp_path, strip))
    expected = [*tokenizer.encode("a"), tokenizer.token_id("<extra_0>"), *tokenizer.encode("b")]
    assert tokenizer.encode("a <extra_0>\n b", special=True) == expected
    assert tokenizer.lossless


@pytest.mark.parametrize(
    ("template", "expected"),
    [("one", "one"), ([{"name": "rag", "template": "r"}, {"name": "default", "template": "d"}], "d"), (None, None)],
)
def test_chat_templates_come_bare_or_named(bpe_folder, tmp_path: pathlib.Path, template, expected):
    folder = configured(bpe_folder, tmp_path, chat_template=template)
    assert load_tokenizer(folder).chat_template == expected
    (folder / "chat_template.jinja").write_text("of its own", encoding="utf-8")
    assert load_tokenizer(folder).chat_template == "of its own"
    assert "chat_template.jinja" in load_tokenizer(folder).save(tmp_path / "saved")


def edited(folder: pathlib.Path, target: pathlib.Path, change) -> pathlib.Path:
    shutil.copytree(folder, target, dirs_exist_ok=True)
    spec = json.loads((target / "tokenizer.json").read_text(encoding="utf-8"))
    change(spec)
    (target / "tokenizer.json").write_text(json.dumps(spec), encoding="utf-8")
    return target


def configured(folder: pathlib.Path, target: pathlib.Path, **changes) -> pathlib.Path:
    shutil.copytree(folder, target, dirs_exist_ok=True)
    config = json.loads((target / "tokenizer_config.json").read_text(encoding="utf-8")) | changes
    (target / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return target


def one_line(path: pathlib.Path) -> str:
    with pytest.raises(UserError) as caught:
        load_tokenizer(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_no_tokenizer_is_one_clear_line(tmp_path: pathlib.Path):
    assert "looked for vocab.model, tokenizer.json and tokenizer.model" in one_line(tmp_path)
    assert "no such file or folder" in one_line(tmp_path / "absent")
    assert "no such file or folder" in one_line(tmp_path / "absent.json")
    assert "no such file or folder" in one_line(tmp_path / "absent.model")
    (tmp_path / "notes.txt").write_text("hello")
    assert "is no tokenizer" in one_line(tmp_path / "notes.txt")
    for junk in (b"junk", b""):
        (tmp_path / "tokenizer.model").write_bytes(junk)
        assert "is no SentencePiece model" in one_line(tmp_path)


BYTE_LEVEL = '{"model": {"type": "BPE", "vocab": %s, "merges": []}, "decoder": {"type": "ByteLevel"}}'


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        '{"model": {"type": "BPE"}}',
        '{"model": {"type": "BPE", "vocab": {}, "merges": []}}',
        '{"model": 3}',
        BYTE_LEVEL % '{"a": "b"}',
        BYTE_LEVEL % '{"a": -1}',
        BYTE_LEVEL % "{}",
        (BYTE_LEVEL % '{"a": 0}')[:-1] + ', "pre_tokenizer": {"type": ["Split"], "behavior": "Isolated"}}',
    ],
)
def test_a_damaged_tokenizer_json_is_one_clear_line(tmp_path: pathlib.Path, content):
    (tmp_path / "tokenizer.json").write_text(content)
    assert str(tmp_path / "tokenizer.json") in one_line(tmp_path)


@pytest.mark.parametrize(
    ("fixture", "name"), [("sentencepiece_folder", "tokenizer.model"), ("vocab_folder", "vocab.model")]
)
def test_pieces_that_are_no_text_are_one_clear_line(request, tmp_path: pathlib.Path, fixture, name):
    content = (request.getfixturevalue(fixture) / name).read_bytes()
    piece = "\u2581".encode()
    assert piece in content
    (tmp_path / name).write_bytes(content.replace(piece, b"\xe2\xff\x81"))
    assert "is no SentencePiece model" in one_line(tmp_path)


def test_kinds_that_lose_blanks_are_refused(bpe_folder, tmp_path: pathlib.Path):
    word_piece = {"type": "WordPiece", "unk_token": "a", "vocab": {"a": 0}, "max_input_chars_per_word": 9}
    assert "WordPiece" in one_line(edited(bpe_folder, tmp_path, lambda spec: spec.update(model=word_piece)))
    bare = {"pre_tokenizer": None, "decoder": None}
    assert "neither byte-level nor" in one_line(edited(bpe_folder, tmp_path / "bare", lambda spec: spec.update(bare)))


def test_what_stands_beside_must_fit(bpe_folder, tmp_path: pathlib.Path):
    def line(name, **changes):
        return one_line(configured(bpe_folder, tmp_path / name, **changes))

    assert "eos_token is '<end>'" in line("a", eos_token="<end>")
    assert "adds 1 tokens (such as '<new>')" in line("b", added_tokens_decoder={"9999": {"content": "<new>"}})
    assert "chat_template is neither" in line("c", chat_template=[3])
    shutil.copytree(bpe_folder, tmp_path / "d")
    (tmp_path / "d" / "generation_config.json").write_text('{"eos_token_id": [9999]}')
    assert "eos_token_id is [9999]; expected ids below" in one_line(tmp_path / "d")
    (tmp_path / "d" / "generation_config.json").write_text("[")
    assert "is no JSON" in one_line(tmp_path / "d")
    for name in ("generation_config.json", "tokenizer_config.json"):
        (tmp_path / "d" / name).unlink()
    assert "nothing names the token that ends a text" in one_line(tmp_path / "d")
