"""What is known of a data set beforehand, and how is it split?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

VALIDATION_SHARE, TEST_SHARE, MOST_VALIDATION = 0.2, 0.2, 5000


@dataclass(frozen=True)
class Facts:
    """shape: of one example. examples: of train and test together; None until they lie prepared on the disk.

    official_test: how many test examples the data set itself sets apart; as many are drawn from all.
    """

    shape: tuple[int, ...]
    classes: int
    examples: int | None
    official_test: int = 0

    def split_sizes(self, validation_share: float | None) -> tuple[int, int, int] | None:
        """How many examples are for training, validation and test; None where that is not known yet."""
        return None if self.examples is None else split_sizes(self.examples, self.official_test, validation_share)


EMBEDDED: Mapping[str, Facts] = {
    "digits": Facts((8, 8, 1), 10, 1797),
    "wine": Facts((13,), 3, 178),
    "breast_cancer": Facts((30,), 2, 569),
}


def split_sizes(examples: int, official_test: int, validation_share: float | None = None) -> tuple[int, int, int]:
    """Return how many are for training, validation (20 %, at most 5,000) and test (as many as official, else 20 %).

    validation_share: of all examples, in place of the 20 %, and without a limit.
    """
    test = official_test or math.ceil(TEST_SHARE * examples)
    validation = min(MOST_VALIDATION, round(VALIDATION_SHARE * examples))
    if validation_share is not None:
        validation = round(validation_share * examples)
    return examples - test - validation, validation, test
