"""Fitted transformers as plain values: of every class, and nothing else is made from them."""

import json

import numpy as np
import pytest
from sklearn.preprocessing import OneHotEncoder, PowerTransformer, StandardScaler, TargetEncoder

from relprop.errors import FileError
from relprop.prepare.fitted_state import pack, unpack
from relprop.prepare.piecewise_linear import PiecewiseLinear

NUMBERS = np.random.default_rng(0).normal(size=(50, 2))
TEXT = np.array([["a", "x"], ["b", "y"], ["a", "z"], ["c", "x"]] * 5, dtype=object)
ENCODER = OneHotEncoder(min_frequency=6, handle_unknown="infrequent_if_exist", dtype=np.float32)


@pytest.mark.parametrize(
    ("transformer", "x"),
    [
        (StandardScaler(), NUMBERS),
        (PowerTransformer(), NUMBERS),
        (PiecewiseLinear(5), NUMBERS),
        (ENCODER.set_params(sparse_output=False), TEXT),
        (TargetEncoder(target_type="continuous"), TEXT),
    ],
    ids=lambda one: type(one).__name__,
)
def test_transforms_to_the_same_bits(transformer, x):
    fitted = transformer.fit(x, np.arange(float(len(x))))
    tensors = {}
    state = json.loads(json.dumps(pack(fitted, tensors), allow_nan=False))
    got, want = unpack(state, tensors).transform(x), fitted.transform(x)
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)


def test_only_known_transformers_are_made():
    with pytest.raises(FileError, match="needs the transformer 'FunctionTransformer'"):
        unpack({"class": "FunctionTransformer", "attributes": {}}, {})
    with pytest.raises(FileError, match=r"needs the tensor 'fitted\.7'"):
        unpack({"tensor": "fitted.7"}, {})
