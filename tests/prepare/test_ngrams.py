"""A text becomes the set of its known words and pairs of neighbouring words."""

import json

from relprop.prepare.ngrams import NgramTokenizer, fit_ngrams

TEXTS = ["a good film", "Good, good film!", "a bad one"]


def test_the_vocabulary_is_what_is_in_most_texts_then_in_the_order_of_the_alphabet():
    known = fit_ngrams(TEXTS, 2, 100).vocabulary
    assert known[:4] == ("a", "film", "good", "good film")  # in two texts each
    assert known[4:] == ("a bad", "a good", "bad", "bad one", "good good", "one")
    assert fit_ngrams(TEXTS, 2, 3).vocabulary == ("a", "film", "good")
    assert fit_ngrams(TEXTS, 1, 100).vocabulary == ("a", "film", "good", "bad", "one")


def test_a_text_is_each_of_its_known_ngrams_once_in_the_order_of_the_text():
    tokenizer = fit_ngrams(TEXTS, 2, 100)
    assert tokenizer.strings("A good, GOOD thing", 99) == ["a", "good", "a good", "good good"]
    assert tokenizer.ids(["a good good thing", "thing", ""], None) == [[2, 4, 7, 10], [], []]


def test_ngrams_are_shared_out_equally_among_their_words_wherever_they_occur():
    tokenizer = fit_ngrams(TEXTS, 2, 100)
    words, shares = tokenizer.shares("A good, GOOD thing, good", 99)
    assert words == ["a", "good", "good", "thing", "good"]
    assert tokenizer.strings("A good, GOOD thing, good", 99) == ["a", "good", "a good", "good good"]
    third = 1 / 3
    assert shares == [
        *[(0, 0, 1.0), (1, 1, third), (1, 2, third), (1, 4, third)],
        *[(2, 0, 0.5), (2, 1, 0.5), (3, 1, 0.5), (3, 2, 0.5)],
    ]
    assert tokenizer.shares("a good", 1) == (["a", "good"], [(0, 0, 1.0)])


def test_all_words_share_the_id_of_a_text_without_known_ngrams():
    tokenizer = fit_ngrams(TEXTS, 2, 100)
    assert tokenizer.shares("other words", 9) == (["other", "words"], [(0, 0, 0.5), (0, 1, 0.5)])
    assert tokenizer.shares("", 9) == ([""], [(0, 0, 1.0)])


def test_ids_count_from_two_and_fit_the_size():
    tokenizer = fit_ngrams(TEXTS, 1, 100)
    assert tokenizer.ids(["a film good bad one"], None) == [[2, 3, 4, 5, 6]]
    assert tokenizer.size == 7
    assert tokenizer.unknown == 1


def test_ids_and_strings_are_cut_alike():
    tokenizer = fit_ngrams(TEXTS, 2, 100)
    assert tokenizer.ids(["a good film"], 2) == [[2, 4]]
    assert tokenizer.strings("a good film", 2) == ["a", "good"]


def test_words_have_letters_of_any_script():
    assert fit_ngrams(["Ça c'est über"], 1, 9).vocabulary == ("c", "est", "ça", "über")


def test_it_is_the_same_after_a_round_through_json():
    tokenizer = fit_ngrams(TEXTS, 2, 100)
    again = NgramTokenizer.restore(json.loads(json.dumps(tokenizer.state())))
    assert again.ids(TEXTS, None) == tokenizer.ids(TEXTS, None)
    assert again.vocabulary == tokenizer.vocabulary
    assert again.describe() == (
        "words and pairs of neighbouring words that occur in a text (10 different ones)"
    )
