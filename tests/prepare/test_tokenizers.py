"""Tokenizers of the `tokenizers` library: of words that were seen, and of an encoder's folder."""

import json

import pytest

from relprop.errors import FileError
from relprop.prepare.tokenizers import LibraryTokenizer, encoder_tokenizer, fit_words

TEXTS = ["A good film.", "a bad film!", "good, good acting."]


def test_words_that_occur_twice_are_known_the_most_frequent_first():
    tokenizer = fit_words(TEXTS, 100)
    assert tokenizer.ids(["good . a film"], None) == [[2, 3, 4, 5]]
    assert tokenizer.size == 6
    assert fit_words(TEXTS, 4).size == 4  # padding and unknown words are among them
    assert tokenizer.describe() == "words and punctuation (6 different ones)"


def test_what_is_unknown_has_one_id_and_keeps_its_string():
    tokenizer = fit_words(TEXTS, 100)
    assert tokenizer.unknown == 1
    assert tokenizer.ids(["Good Zebra", ""], None) == [[2, 1], []]
    assert tokenizer.strings("Good Zebra", 9) == ["good", "Zebra"]


def test_ids_and_strings_are_cut_alike_and_the_next_text_is_not():
    tokenizer = fit_words(TEXTS, 100)
    assert tokenizer.ids(["good film", "a"], 1) == [[2], [4]]
    assert tokenizer.strings("good film", 1) == ["good"]
    assert tokenizer.ids(["good film"], None) == [[2, 5]]


def test_it_is_the_same_after_a_round_through_json():
    tokenizer = fit_words(TEXTS, 100)
    again = LibraryTokenizer.restore(json.loads(json.dumps(tokenizer.state())))
    assert again.ids(TEXTS, None) == tokenizer.ids(TEXTS, None)
    assert (again.size, again.describe()) == (tokenizer.size, tokenizer.describe())


def encoder_folder(path, pad):
    """Write a tokenizer with whole words, as that of an encoder, which pads with `pad`."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    names = ["[CLS]", "[SEP]", "[UNK]", "film", "good"]
    names.insert(pad, "[PAD]")
    library = Tokenizer(models.WordLevel({n: i for i, n in enumerate(names)}, unk_token="[UNK]"))
    library.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [(name, names.index(name)) for name in ("[CLS]", "[SEP]")]
    library.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=ends)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=library, pad_token="[PAD]", unk_token="[UNK]"
    ).save_pretrained(path)
    config = transformers.BertConfig(vocab_size=len(names), pad_token_id=pad)
    config.save_pretrained(path)
    return str(path)


def test_an_encoder_brings_its_own_and_what_ends_a_text_is_kept_when_it_is_cut(tmp_path):
    tokenizer = encoder_tokenizer(encoder_folder(tmp_path, 0))
    assert tokenizer.ids(["good film", ""], None) == [[1, 5, 4, 2], [1, 2]]
    assert tokenizer.strings("good zoo", 9) == ["[CLS]", "good", "zoo", "[SEP]"]
    assert tokenizer.ids(["good film film"], 3) == [[1, 5, 2]]
    assert tokenizer.unknown == 3
    assert tokenizer.describe() == "the encoder's own tokens"


def test_the_id_that_an_encoder_pads_with_changes_places_with_0(tmp_path):
    tokenizer = encoder_tokenizer(encoder_folder(tmp_path, 2))  # [CLS] is 0, [SEP] is 1
    assert tokenizer.ids(["good [PAD]"], None) == [[2, 5, 0, 1]]


def test_a_folder_without_an_encoder_is_refused(tmp_path):
    with pytest.raises(FileError, match=r"no config\.json there"):
        encoder_tokenizer(str(tmp_path / "missing"))
    pytest.importorskip("transformers").BertConfig().save_pretrained(tmp_path)
    with pytest.raises(FileError, match=r"no tokenizer\.json there"):
        encoder_tokenizer(str(tmp_path))
