"""Training: what is learned, when it ends, which weights are kept, and what it leaves behind."""

import math
import signal
import time

import pytest
import torch
from torch import nn

from relprop.errors import InputError
from relprop.training.train import Examples, train_network

SETTINGS = {"optimiser": "adamw", "rate": 0.03, "decay": 0.0, "batch": 32, "epochs": 12}


def network(outputs=2, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, outputs))


def samples(n, seed):
    """Four numbers each, with the sign and the value of their sum."""
    x = torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))
    return x, x.sum(1, keepdim=True) / 2


def classes(n=200, seed=0):
    x, value = samples(n, seed)
    return Examples(x, (value[:, 0] > 0).long())


def train(examples=None, validation=None, outputs=2, task="classes", seconds=60.0, **settings):
    seed, on_check = settings.pop("seed", 0), settings.pop("on_check", lambda check: False)
    return train_network(
        network(outputs),
        classes() if examples is None else examples,
        validation,
        {**SETTINGS, **settings},
        task=task,
        seed=seed,
        seconds=seconds,
        on_check=on_check,
    )


def accuracy(trained, examples):
    return float((trained.network(examples.inputs).argmax(1) == examples.targets).float().mean())


class Centred(nn.Module):
    """Subtracts the mean of the training samples, which it learns before the first step."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.full((4,), torch.nan))
        self.layer = nn.Linear(4, 2)

    def start(self, inputs, targets):
        self.mean.copy_(inputs.mean(0))
        self.seen = targets

    def forward(self, x):
        return self.layer(x - self.mean)


# ---- what is learned ---------------------------------------------------------------------


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_classes_are_learned(optimiser):
    trained = train(optimiser=optimiser, rate=0.1, epochs=30)
    assert accuracy(trained, classes(500, seed=1)) > 0.97
    assert (trained.stopped, trained.checks, trained.network.training) == ("done", (), False)


def test_a_network_may_start_from_the_training_samples():
    examples, model = classes(), Centred()
    settings = {**SETTINGS, "epochs": 1}
    trained = train_network(model, examples, None, settings, task="classes", seed=0, seconds=60)
    assert torch.equal(trained.network.mean, examples.inputs.mean(0))
    assert torch.equal(trained.network.seen, examples.targets)
    assert trained.stopped == "done"  # and not "diverged", as with the mean that is NaN


def test_labels_are_learned():
    x, _ = samples(300, 0)
    labels = Examples(x, torch.stack([x[:, 0] > 0, x[:, 1] > 0, x[:, 2] > 9], 1).float())
    trained = train(labels, labels, outputs=3, task="labels", epochs=40)
    assert trained.checks[-1].score > 0.99  # of two labels: no sample has the third
    assert ((trained.network(x) > 0) == labels.targets.bool()).float().mean() > 0.97


def test_a_value_is_learned():
    examples, validation = Examples(*samples(300, 0)), Examples(*samples(200, 1))
    trained = train(examples, validation, outputs=1, task="value", epochs=60)
    with torch.no_grad():
        error = (trained.network(validation.inputs) - validation.targets).pow(2).mean()
    best = max(trained.checks, key=lambda check: check.score)
    assert best.score == pytest.approx(1 - float(error / validation.targets.var(correction=0)))
    assert best.loss == pytest.approx(float(error))
    assert best.score > 0.98


def test_a_teacher_outweighs_wrong_targets():
    right = classes()
    wrong = Examples(right.inputs, 1 - right.targets, torch.eye(2)[right.targets])
    assert accuracy(train(wrong, epochs=30), right) > 0.95


# ---- when it ends --------------------------------------------------------------------------


def test_a_training_without_time_for_all_epochs_ends_in_time_with_a_last_check():
    train()  # imports, and what torch prepares at first
    begun = time.monotonic()
    trained = train(validation=classes(100, seed=1), seconds=1.0, epochs=10**6)
    took = time.monotonic() - begun
    assert took < 1.1
    assert trained.seconds == pytest.approx(took, abs=0.05)
    assert (trained.stopped, trained.checks[-1].progress) == ("time", 1.0)
    assert [check.seconds for check in trained.checks] == sorted(c.seconds for c in trained.checks)


def test_a_planned_training_is_checked_at_each_twentieth_of_it():
    trained = train(validation=classes(100, seed=1), epochs=40)  # of 7 steps
    progress = [check.progress for check in trained.checks]
    assert progress == pytest.approx([part / 20 for part in range(1, 21)])
    assert [check.epoch for check in trained.checks] == list(range(2, 41, 2))


def moves_of_steps(**settings):
    """Return how far each of 20 steps on all samples moved the weights; and the checks."""
    model, seen = network(), []

    def look(check):
        seen.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
        return False

    before = torch.cat([p.detach().flatten() for p in model.parameters()])
    trained = train_network(
        model,
        classes(),
        classes(),
        {**SETTINGS, "batch": 200, "epochs": 20, **settings},
        task="classes",
        seed=0,
        seconds=60,
        on_check=look,
    )
    pairs = zip([before, *seen], seen, strict=False)
    return [float((new - old).abs().mean()) for old, new in pairs], trained.checks


def test_the_rate_rises_and_falls_with_the_progress():
    moved, _ = moves_of_steps(rate=1e-3)  # AdamW moves each weight by about the rate
    assert moved[0] == 0
    assert moved[4] == max(moved)
    assert moved[19] < 0.2 * moved[4]


def test_a_check_tells_the_loss_of_the_batches_since_the_one_before():
    _, checks = moves_of_steps()
    told = [check.train_loss for check in checks]
    assert told[1:] == pytest.approx([check.loss for check in checks[:-1]], rel=1e-5)
    assert told[0] == pytest.approx(told[1])  # the rate of the first step is 0


def test_the_caller_stops_it():
    seen = []

    def stop_at_the_third(check):
        seen.append(check)
        return len(seen) == 3

    trained = train(validation=classes(100, seed=1), on_check=stop_at_the_third)
    assert trained.stopped == "pruned"
    assert trained.checks == tuple(seen)
    assert len(seen) == 3


def test_a_training_that_diverges_says_so():
    examples = Examples(*samples(100, 0))
    trained = train(examples, examples, outputs=1, task="value", optimiser="sgd", rate=1e5)
    assert trained.stopped == "diverged"
    assert all(math.isfinite(check.loss) for check in trained.checks[:-1])


@pytest.fixture
def interruptible():
    """Let Ctrl-C arrive in background, too, where it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_arrives_as_such_and_works_again():
    def interrupt(check):
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(validation=classes(100, seed=1), on_check=interrupt)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# ---- which weights ---------------------------------------------------------------------------


def kept_check(checks):
    """Return the last check that none before beats in both score and loss."""
    return next(
        check
        for place, check in reversed(list(enumerate(checks)))
        if not any(c.score > check.score and c.loss < check.loss for c in checks[:place])
    )


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_the_last_weights_that_were_not_beaten_are_kept(average):
    """With targets that are noise, the score on others goes up and down, and the loss rises."""
    generator = torch.Generator().manual_seed(0)
    noise = Examples(classes().inputs, torch.randint(2, (200,), generator=generator))
    validation = classes(101, seed=1)
    trained = train(noise, validation, average=average, epochs=40)
    kept = kept_check(trained.checks)
    assert accuracy(trained, validation) == pytest.approx(kept.score)
    assert kept.score != trained.checks[-1].score
    assert torch.equal(trained.outputs, trained.network(validation.inputs))


def noisy(n, seed):
    """Return samples of which every fifth has the other class."""
    right = classes(n, seed)
    wrong = torch.rand(n, generator=torch.Generator().manual_seed(seed)) < 0.2
    return Examples(right.inputs, torch.where(wrong, 1 - right.targets, right.targets))


def test_a_lucky_score_does_not_win_over_a_lower_loss():
    """With labels of which some are wrong, the loss falls on while few samples decide the score."""
    validation = noisy(60, seed=2)
    trained = train(noisy(400, seed=0), validation, rate=0.003)
    best = max(trained.checks, key=lambda check: check.score)
    kept = kept_check(trained.checks)
    assert kept.score < best.score
    assert kept.loss < best.loss
    assert accuracy(trained, validation) == pytest.approx(kept.score)


def weights(trained):
    return torch.cat([parameter.detach().flatten() for parameter in trained.network.parameters()])


def test_the_average_of_the_weights_is_another_network():
    assert not torch.equal(weights(train()), weights(train(average=0.9)))


def test_the_same_seed_gives_the_same_weights():
    everything = {"mixup": 0.2, "smoothing": 0.1, "average": 0.9}
    before = torch.get_rng_state()
    first = weights(train(**everything, seed=3))
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)  # what the caller draws in between must not matter
    assert torch.equal(weights(train(**everything, seed=3)), first)
    assert not torch.equal(weights(train(**everything, seed=4)), first)


def test_validation_does_not_change_the_training():
    """The samples validate themselves, so that the last weights are the best."""
    assert torch.equal(weights(train(validation=classes())), weights(train()))


def test_a_run_writes_and_prints_nothing(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    train(validation=classes(50, seed=1), epochs=2)
    assert (list(tmp_path.iterdir()), *capfd.readouterr()) == ([], "", "")


# ---- bad input -------------------------------------------------------------------------------


def test_no_time_is_refused():
    with pytest.raises(InputError, match="seconds is 0"):
        train(seconds=0)


def test_a_single_sample_is_refused():
    with pytest.raises(InputError, match="1 training samples with 1 targets"):
        train(classes(1))


def test_token_ids_cannot_be_mixed():
    ids = Examples(torch.ones(4, 3, dtype=torch.long), torch.tensor([0, 1, 0, 1]))
    with pytest.raises(InputError, match=r"mixup=0\.2 for samples of torch\.int64"):
        train(ids, mixup=0.2)


def test_weights_that_were_not_beaten_are_given_to_be_kept():
    validation, told = noisy(60, seed=2), []

    def keep(weights, check):
        copy = network()
        copy.load_state_dict(weights)
        right = (copy(validation.inputs).argmax(1) == validation.targets).float().mean()
        told.append((check.score, float(right)))

    trained = train_network(
        network(),
        noisy(400, seed=0),
        validation,
        {**SETTINGS, "epochs": 60, "rate": 0.1},
        task="classes",
        seed=0,
        seconds=60,
        on_best=keep,
    )
    scores = [score for score, _ in told]
    assert scores == pytest.approx([right for _, right in told])
    assert scores[-1] == kept_check(trained.checks).score
    assert len(told) < len(trained.checks)
