"""The kinds of operations that take a rule, by the names that recipes use."""

from typing import Literal, get_args

Kind = Literal[
    "convolution",
    "linear",
    "average-pool",
    "product",  # of two values that depend on the input, entry by entry
    "gate",  # such a product in which one value is the other's gate, between 0 and 1
    "matmul",  # a matrix product of two values that depend on the input
    "softmax",
    "attention",  # scaled dot-product attention as one operation
    "normalisation",  # LayerNorm and its like; a quotient; a product with a norm or a mean
    "recurrent",  # LSTM, GRU, RNN
]
KINDS: tuple[Kind, ...] = get_args(Kind)
WEIGHTED_SUMS: tuple[Kind, ...] = ("convolution", "linear", "average-pool")
LAYERS: tuple[Kind, ...] = ("convolution", "linear")
