"""The loss of a batch: what the network sees, and what its scores are compared with."""

import pytest
import torch
from torch import nn

from relprop.training.batch_loss import BatchLoss
from relprop.training.precision import NumberFormat
from relprop.training.settings import TrainingSettings

FLOATS = NumberFormat("cpu", False, torch.contiguous_format)
X = torch.tensor([[0.0, 0.0], [1.0, 2.0], [4.0, 8.0]])
Y = torch.tensor([0, 1, 1])


class Recorder(nn.Module):
    """Scores are the inputs, which it keeps."""

    def forward(self, x):
        self.seen = x
        return x


def batch_loss(augment=None, **settings):
    fixed = TrainingSettings("sgd", rate=0.1, decay=0, batch=2, epochs=1, **settings)
    return BatchLoss(X, Y, None, "classes", fixed, augment, FLOATS)


def test_rows_go_with_their_targets():
    got = batch_loss()(Recorder(), torch.tensor([2, 0]))
    want = nn.functional.cross_entropy(X[[2, 0]], Y[[2, 0]])
    torch.testing.assert_close(got, want)


def test_the_network_sees_what_augmentation_gives():
    network = Recorder()
    batch_loss(augment=lambda x: -x)(network, torch.tensor([1]))
    assert network.seen.tolist() == [[-1, -2]]


def test_mixup_mixes_samples_and_targets_by_one_share():
    torch.manual_seed(1)
    network, rows = Recorder(), torch.tensor([0, 2])
    got = batch_loss(mixup=1.0, smoothing=0.1)(network, rows)
    share = network.seen[0, 0].item() / 4  # of sample 2 in what stands for sample 0
    assert 0 < share < 1
    torch.testing.assert_close(network.seen[1], X[2] * (1 - share))
    smooth = torch.tensor([[0.95, 0.05], [0.05, 0.95]])
    want = nn.functional.cross_entropy(network.seen, smooth.lerp(smooth.flip(0), share))
    torch.testing.assert_close(got, want)


def test_a_teacher_is_read_at_the_same_rows():
    with_teacher = BatchLoss(
        X, Y, torch.eye(2)[[1, 1, 0]], "classes", batch_loss().settings, None, FLOATS
    )
    got = with_teacher(Recorder(), torch.tensor([2]))
    want = nn.functional.cross_entropy(X[[2]], torch.tensor([[0.7, 0.3]]))
    assert got.item() == pytest.approx(want.item())
