#!/usr/bin/env bash
# scikit-learn 1.9.1 (numpy 2.4.6, Python 3.11)
#
# TargetEncoder(categories=[...]) with a list that leaves out categories of the training data, as one
# does to keep the frequent ones, counts the rows of those left out with the FIRST category of the
# list. OneHotEncoder refuses the same list ("Found unknown categories"). Rows a, b, c with the
# targets 0, 10 and 80:
#
#   all categories: a 0, b 10, c 80
#   categories=[['a', 'b']]: a 40, b 10, mean of all 30
#
# The mean of "a" is that of a and c together; "c" itself gets the mean of all. No warning is given.
# The script fails if that changes.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet scikit-learn==1.9.1 numpy==2.4.6

cat > "$folder/try.py" <<'PY'
import warnings

import numpy as np
from sklearn.preprocessing import OneHotEncoder, TargetEncoder

warnings.simplefilter("error")
x = np.array([["a"], ["b"], ["c"]] * 8, dtype=object)
y = np.array([0.0, 10.0, 80.0] * 8)


def means(categories):
    # smoothing of almost nothing, so that each category has its own mean
    encoder = TargetEncoder(categories=categories, smooth=1e-9, target_type="continuous")
    return encoder.fit(x, y)


whole, part = means("auto"), means([["a", "b"]])
a, b, c = whole.encodings_[0].round(6)
print(f"all categories: a {a:g}, b {b:g}, c {c:g}")
assert (a, b, c) == (0, 10, 80)

a, b = part.encodings_[0].round(6)
print(f"categories=[['a', 'b']]: a {a:g}, b {b:g}, mean of all {part.target_mean_:g}")
assert (a, b, part.target_mean_) == (40, 10, 30)
assert part.transform([["c"]]).item() == 30

try:
    OneHotEncoder(categories=[["a", "b"]]).fit(x)
except ValueError as error:
    assert "Found unknown categories" in str(error)
else:
    raise SystemExit("OneHotEncoder took the list")
PY
"$folder/venv/bin/python" "$folder/try.py"
