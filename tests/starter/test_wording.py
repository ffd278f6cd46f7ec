"""Captions in free wording."""

from random import Random

from recipe.draw import draw
from recipe.wording import SYNONYMS, an, listed, plural, unknown, vary

PLAIN = "a small gray circle on a purple background"


def test_articles_and_plurals_are_english() -> None:
    assert an("orange cat") == "an orange cat"
    assert an("red cat") == "a red cat"
    assert plural("cross") == "crosses"
    assert plural("star") == "stars"
    assert listed(["a hat", "a cat", "a dog"]) == "a hat, a cat and a dog"


def test_varied_captions_keep_every_fact() -> None:
    for seed in range(300):
        said = vary(Random(seed), PLAIN)
        for word in ("small", "gray", "purple", "circle"):
            # an unknown word may stand inside a synonym of two words
            assert any(same.split()[-1] in said for same in (word, *SYNONYMS[word])), said


def test_wording_is_varied_and_repeatable() -> None:
    many = {vary(Random(seed), PLAIN) for seed in range(200)}
    assert len(many) > 80
    assert vary(Random(1), PLAIN) == vary(Random(1), PLAIN)


def test_unknown_words_are_in_no_caption_by_chance() -> None:
    known = {word for seed in range(200) for word in draw(seed).captions[0].split()}
    invented = [unknown(Random(seed)) for seed in range(200)]
    assert sum(word in known for word in invented) < 3
