"""Removal curves with scores written by hand."""

import torch

from relprop.evaluate import Predictions, RemovalCurve


def curve(scores, order="morf", prediction=None, margin=None, counts=(0, 1, 4)):
    """A curve of units removed by `counts`, with these scores and predictions (n, s + 1)."""
    scores = torch.tensor(scores).double()
    n, columns = scores.shape
    prediction = torch.zeros(n, columns).long() if prediction is None else torch.tensor(prediction)
    return RemovalCurve(
        order=order,
        score="logit",
        fill="zero",
        scores=scores,
        predictions=Predictions(prediction, scores if margin is None else torch.tensor(margin)),
        counts=torch.tensor([counts]),
        units=torch.tensor([counts[-1]]),
        target=torch.zeros(n).long(),
        ties=torch.zeros(n).long(),
    )


MORF = curve([[1.0, 0.4, 0.2], [0.8, 0.8, 0.0]])
LERF = curve([[1.0, 0.8, 0.2], [0.8, 0.8, 0.0]], "lerf")
