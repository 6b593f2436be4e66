"""The task: a number and its English words, as characters, made on the fly.

    407=four zero seven

The first digit cannot be guessed and neither can the others, but every letter can: the words follow from the
digits. So a model that has understood the task still pays for the digits, and `lowest_loss` says how much.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
PAD = "\0"
CHARACTERS = PAD + "\n =0123456789" + "".join(sorted(set("".join(WORDS))))
INDEX = {character: index for index, character in enumerate(CHARACTERS)}
IGNORE = -100  # the label that torch's cross-entropy leaves out of the mean


class Batch(NamedTuple):
    """Next-character examples, padded on the right to the longest of the batch.

    - `inputs`: characters as indices into `CHARACTERS`, int64, shape `(batch, length)`
    - `targets`: the character after each input, int64, shape `(batch, length)`; `IGNORE` on padding
    - `mask`: True where there is a target, bool, shape `(batch, length)`

    Texts differ in length, so the number of targets, `mask.sum()`, differs from batch to batch.
    """

    inputs: Tensor
    targets: Tensor
    mask: Tensor

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on a device."""
        return Batch(*(tensor.to(device) for tensor in self))


def spell(number: int | str) -> str:
    """The text of one example: the digits, `=`, their words, a newline. `spell(407)` is `"407=four zero seven\\n"`."""
    digits = str(number)
    return f"{digits}={' '.join(WORDS[int(digit)] for digit in digits)}\n"


def longest(digits: int) -> int:
    """Length in characters of the longest model input for numbers of up to `digits` digits (its text less one)."""
    return len(spell("3" * digits)) - 1


def encode(texts: list[str]) -> Batch:
    """The `Batch` of some texts, in their order."""
    rows = [[INDEX[character] for character in text] for text in texts]
    width = max(map(len, rows))
    padded = torch.tensor([row + [INDEX[PAD]] * (width - len(row)) for row in rows])
    mask = padded[:, 1:] != INDEX[PAD]
    return Batch(padded[:, :-1], padded[:, 1:].masked_fill(~mask, IGNORE), mask)


def decode(indices: Tensor) -> str:
    """The characters of a row of indices, padding left out."""
    return "".join(CHARACTERS[index] for index in indices.tolist()).replace(PAD, "")


class NumberWords(Iterator[Batch]):
    """An endless stream of batches, the same for the same seed.

    Numbers are uniform over 0 … 10**digits - 1 and written without leading zeros. `batch_size` may be changed
    between batches. The stream owns its random generator, so nothing else that draws numbers can disturb it.
    """

    def __init__(self, seed: int = 0, digits: int = 3, batch_size: int = 16):
        if digits < 1 or batch_size < 1:
            raise ValueError(f"digits and batch_size must be at least 1, got digits={digits}, batch_size={batch_size}")
        self.digits, self.batch_size = digits, batch_size
        self._generator = torch.Generator().manual_seed(seed)

    def __next__(self) -> Batch:
        # Digit by digit, so that any number of digits works; a number is its digits without leading zeros.
        drawn = torch.randint(10, (self.batch_size, self.digits), generator=self._generator).tolist()
        return encode([spell("".join(map(str, row)).lstrip("0") or "0") for row in drawn])


def lowest_loss(digits: int = 3) -> float:
    """The cross-entropy in nats per character that no model can beat on this task, on average over many batches.

    The first digit is given as input and the letters follow from the digits, so what remains is the entropy of
    the number less that of its first digit, spread over the characters that have to be predicted.
    """
    numbers = 10**digits
    zero = 1 / numbers  # only the number 0 begins with the digit 0
    first = (1 - zero) / 9  # the other first digits are equally likely
    entropy = math.log(numbers) + zero * math.log(zero) + 9 * first * math.log(first)
    characters = 0.0
    letters = sum(map(len, WORDS)) / 10  # of a digit's word, on average; a first digit other than 0 shifts it
    letters_nonzero = sum(map(len, WORDS[1:])) / 9
    for length in range(1, digits + 1):
        share = (10 if length == 1 else 9 * 10 ** (length - 1)) / numbers
        words = letters if length == 1 else letters_nonzero + (length - 1) * letters
        # the digits after the first, the equals sign, the words, the spaces between them, the newline
        characters += share * ((length - 1) + 1 + words + (length - 1) + 1)
    return entropy / characters
