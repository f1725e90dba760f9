"""Images of digits and clothes, for the demo, comparisons and training.

`load_digits` loads a split of MNIST or Fashion-MNIST; `find_digits` its test split, or the 5,000
digits of `packaged_digits` where there are neither data nor network; `first_digits` takes some.
Each returns `Digits`: images, labels, and where they come from.
"""

from .digits import Digits, first_digits
from .load import find_digits, load_digits
from .packaged import packaged_digits

__all__ = ["Digits", "find_digits", "first_digits", "load_digits", "packaged_digits"]
