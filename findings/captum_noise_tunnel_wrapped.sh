#!/usr/bin/env bash
# captum 0.9.0 (torch 2.13.0, Python 3.11)
#
# captum.attr.NoiseTunnel is documented to take any Attribution. It calls the method's
# `attribute.__wrapped__`, which exists only where `attribute` carries Captum's own logging decorator.
# A subclass of Attribution that follows the documented interface, and has no decorator, fails:
#
#   alone: tensor([[1., 2.]])
#   in NoiseTunnel: AttributeError: 'function' object has no attribute '__wrapped__'
#   decorated with captum.log.log_usage, in NoiseTunnel: tensor([[1., 2.]])
#
# The script fails if that changes.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 captum==0.9.0

cat > "$folder/try.py" <<'PY'
import torch
from captum.attr import Attribution, NoiseTunnel
from captum.log import log_usage


class TimesTwo(Attribution):
    """Return the gradient of a sum of squares."""

    def attribute(self, inputs, target=None):
        return 2 * inputs


class Logged(TimesTwo):
    @log_usage()
    def attribute(self, inputs, target=None):
        return 2 * inputs


def model(x):
    return (x * x).sum(1)


x = torch.tensor([[0.5, 1.0]])
print("alone:", TimesTwo(model).attribute(x))
try:
    print("in NoiseTunnel:", NoiseTunnel(TimesTwo(model)).attribute(x, nt_samples=2, stdevs=0.0))
except AttributeError as error:
    print(f"in NoiseTunnel: AttributeError: {error}")
tunnel = NoiseTunnel(Logged(model))
print(
    "decorated with captum.log.log_usage, in NoiseTunnel:",
    tunnel.attribute(x, nt_samples=2, stdevs=0.0),
)
PY

"$folder/venv/bin/python" "$folder/try.py" 2>/dev/null | tee "$folder/seen"
diff "$folder/seen" - <<'SEEN'
alone: tensor([[1., 2.]])
in NoiseTunnel: AttributeError: 'function' object has no attribute '__wrapped__'
decorated with captum.log.log_usage, in NoiseTunnel: tensor([[1., 2.]])
SEEN
