"""Laws of the task."""

import math
from itertools import islice

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradlab.data import CHARACTERS, IGNORE, INDEX, PAD, WORDS, NumberWords, decode, encode, longest, lowest_loss, spell


@given(st.integers(0, 10**30))
def test_the_words_say_the_digits(number):
    digits, words = spell(number).removesuffix("\n").split("=")
    assert int(digits) == number
    assert "".join(str(WORDS.index(word)) for word in words.split(" ")) == digits


def test_the_example_of_the_documentation():
    assert spell(407) == "407=four zero seven\n"


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 20))
def test_shapes_and_mask_agree(seed, digits, batch_size):
    batch = next(NumberWords(seed, digits, batch_size))
    assert batch.inputs.shape == batch.targets.shape == batch.mask.shape
    assert batch.inputs.shape[0] == batch_size and batch.inputs.shape[1] <= longest(digits)
    assert batch.inputs.dtype == batch.targets.dtype == torch.int64
    assert torch.equal(batch.mask, batch.targets != IGNORE)
    assert batch.mask.any(dim=0).all(), "a column of padding alone is waste"


@given(st.lists(st.integers(0, 10**8), min_size=1, max_size=8))
def test_targets_are_the_inputs_moved_by_one(numbers):
    texts = [spell(number) for number in numbers]
    batch = encode(texts)
    for row, text in enumerate(texts):
        seen = batch.mask[row]
        assert decode(batch.inputs[row])[:len(text) - 1] == text[:-1]
        assert decode(batch.targets[row][seen]) == text[1:]


def test_the_same_seed_gives_the_same_stream_and_another_seed_another():
    first, again, other = ([batch.inputs for batch in islice(NumberWords(seed), 5)] for seed in (3, 3, 4))
    assert all(map(torch.equal, first, again))
    assert not all(a.shape == b.shape and torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_the_stream_does_not_disturb_the_global_generator_nor_is_disturbed():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    stream, twin = NumberWords(1), NumberWords(1)
    next(stream)
    assert torch.equal(torch.rand(1), expected)
    next(twin)
    torch.rand(100)
    assert torch.equal(next(stream).inputs, next(twin).inputs)


def test_targets_vary_from_batch_to_batch():
    assert len({int(batch.mask.sum()) for batch in islice(NumberWords(0), 20)}) > 10


def test_numbers_are_uniform():
    counts = torch.zeros(100)
    for batch in islice(NumberWords(0, digits=2, batch_size=500), 40):
        for row in batch.inputs:
            counts[int(decode(row).split("=")[0])] += 1
    assert counts.min() > 0
    chi_square = float(((counts - 200) ** 2 / 200).sum())
    assert chi_square < 150, "99 degrees of freedom: above 150 about once in 1,400 seeds"


def test_the_batch_size_may_change_between_batches():
    stream = NumberWords(0, batch_size=4)
    assert len(next(stream).inputs) == 4
    stream.batch_size = 7
    assert len(next(stream).inputs) == 7


@pytest.mark.parametrize("digits", [1, 2, 3])
def test_the_lowest_loss_is_what_counting_all_numbers_gives(digits):
    texts = [spell(number) for number in range(10**digits)]
    entropy = 0.0  # of the digits after the first, by counting continuations of every prefix
    prefixes: dict[str, dict[str, int]] = {}
    for text in texts:
        for place in range(1, len(text)):
            following = prefixes.setdefault(text[:place], {})
            following[text[place]] = following.get(text[place], 0) + 1
    for following in prefixes.values():
        total = sum(following.values())
        entropy -= sum(n / len(texts) * math.log(n / total) for n in following.values())
    characters = sum(len(text) - 1 for text in texts) / len(texts)
    assert lowest_loss(digits) == pytest.approx(entropy / characters, rel=1e-12)


def test_every_character_has_its_own_index_and_padding_is_none_of_them():
    assert sorted(INDEX.values()) == list(range(len(CHARACTERS)))
    assert PAD not in spell(1234567890)


@pytest.mark.parametrize("arguments", [{"digits": 0}, {"batch_size": 0}, {"digits": -3}])
def test_nonsense_is_refused_with_its_value(arguments):
    name, value = next(iter(arguments.items()))
    with pytest.raises(ValueError, match=f"{name}={value}"):
        NumberWords(**arguments)
