"""The training loop: laws of its schedule and history, reproducible bits, exact resume, files that can be trusted."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from inscape.errors import DataError, WeightsError
from inscape.training import (
    Batches,
    Header,
    best_epoch,
    fit_network,
    load_weights,
    read_tensors,
    save_weights,
    write_tensors,
)
from inscape.training.batches import batches_of, shuffled
from inscape.training.optimisation import adamw, clip_gradients, schedule, set_rate

torch.set_num_threads(1)

X = torch.from_numpy(np.random.default_rng(0).standard_normal((60, 5)).astype(np.float32))
Y = X @ torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0]) + 0.3


def regression(first=0, last=40):
    return Batches(last - first, lambda i: (X[first:last][i], Y[first:last][i]), digest=f"{first}-{last}")


def perceptron(seed=0, dropout=0.0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 1))


def squared(network, batch):
    x, y = batch
    return (network(x)[:, 0] - y).square().mean()


def bits(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def plain(history):
    return [(e.epoch, e.training, e.validation, e.learning_rate) for e in history]


# ---- laws


def test_loss_falls_and_history_tells():
    network = perceptron()
    history = fit_network(network, squared, regression(), epochs=60, batch_size=8, learning_rate=0.03)
    assert [e.epoch for e in history] == list(range(1, 61))
    assert history[-1].training < 0.02 * history[0].training
    assert not network.training


def test_linear_regression_finds_the_exact_answer():
    network = nn.Linear(5, 1)
    fit_network(network, squared, regression(), epochs=300, batch_size=40, learning_rate=0.1, clip=None)
    assert network.weight.detach().numpy()[0] == pytest.approx([1, -2, 0.5, 0, 3], abs=1e-3)
    assert network.bias.item() == pytest.approx(0.3, abs=1e-3)


def test_ragged_samples():
    """Samples of different lengths: the batch is whatever the function makes of sample numbers."""
    lengths = np.random.default_rng(1).integers(1, 6, 30)
    atoms = [torch.full((n, 5), float(n)) for n in lengths]

    def batch(indices):
        return {
            "atoms": torch.cat([atoms[i] for i in indices]),
            "owner": torch.from_numpy(np.repeat(np.arange(len(indices)), lengths[indices])),
            "target": torch.from_numpy(lengths[indices].astype(np.float32)),
        }

    def loss(network, b):
        total = torch.zeros(len(b["target"])).index_add(0, b["owner"], network(b["atoms"])[:, 0])
        return (total - b["target"]).square().mean()

    history = fit_network(nn.Linear(5, 1), loss, Batches(30, batch), epochs=100, batch_size=7, learning_rate=0.02)
    assert history[-1].training < 0.1 * history[0].training


def test_schedule_rises_then_falls_to_zero():
    rates = [schedule(step, 100, 0.1) for step in range(101)]
    assert rates[:10] == pytest.approx(np.arange(1, 11) / 10)
    assert np.all(np.diff(rates[10:]) < 0)
    assert rates[10] == pytest.approx(1)
    assert rates[100] == pytest.approx(0, abs=1e-12)


def test_gradients_are_clipped_to_a_norm_and_else_left_alone():
    network = perceptron()
    squared(network, (X, Y)).backward()
    before = [p.grad.clone() for p in network.parameters()]
    norm = torch.stack([g.norm() for g in before]).norm()
    clip_gradients(list(network.parameters()), float(norm) + 1)
    assert all(torch.equal(p.grad, g) for p, g in zip(network.parameters(), before, strict=True))
    clip_gradients(list(network.parameters()), 0.5 * float(norm))
    for parameter, gradient in zip(network.parameters(), before, strict=True):
        torch.testing.assert_close(parameter.grad, 0.5 * gradient)


def test_every_sample_once_an_epoch():
    parts = list(batches_of(shuffled(23), 5))
    assert [len(p) for p in parts] == [5, 5, 5, 5, 3]
    assert sorted(np.concatenate(parts)) == list(range(23))


def test_vectors_do_not_decay():
    network = nn.Linear(5, 1)
    with torch.no_grad():
        network.bias.fill_(1.0)
    before = network.weight.detach().clone()
    nothing = Batches(4, lambda i: X[i])
    fit_network(network, lambda n, x: 0.0 * n(x).sum(), nothing, epochs=5, learning_rate=0.1, weight_decay=1.0)
    assert network.bias.item() == 1.0
    assert network.weight.detach().norm() < before.norm()


def test_the_optimiser_steps_as_torch_does():
    """Also where a weight gets its first gradient later than others, and with two rates of decay."""
    networks = [nn.ModuleList([perceptron(), nn.Linear(5, 1)]) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    ours = adamw(networks[0], 0.1)
    groups = [{k: v for k, v in group.items() if k in ("weight_decay",)} for group in ours.param_groups]
    for group, shape in zip(groups, (lambda p: p.dim() >= 2, lambda p: p.dim() < 2), strict=True):
        group["params"] = [p for p in networks[1].parameters() if shape(p)]
    torchs = torch.optim.AdamW(groups, fused=True)
    for step in range(6):
        for network, optimizer in zip(networks, (ours, torchs), strict=True):
            set_rate(optimizer, 0.1 / (1 + step))
            optimizer.zero_grad()
            (squared(network[0], (X, Y)) + (network[1](X).square().mean() if step > 2 else 0.0)).backward()
            optimizer.step()
    assert same(*map(bits, networks))


def test_best_weights_come_back():
    network = perceptron()
    seen = []

    def loss(network, batch):
        value = squared(network, batch)
        if not network.training:
            seen.append((value.item(), bits(network)))
        return value

    history = fit_network(network, loss, regression(), validation=regression(40, 60), epochs=30, learning_rate=0.5)
    best = min(seen, key=lambda pair: pair[0])
    assert same(best[1], network.state_dict())
    assert history[best_epoch(history)].validation == pytest.approx(best[0])


def test_training_cannot_make_it_worse():
    """Epoch 0 is judged too, so a rate that ruins the network leaves it as it came."""
    network = nn.Linear(5, 1)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[1.0, -2.0, 0.5, 0.0, 3.0]]))
        network.bias.fill_(0.3)
    before = bits(network)
    history = fit_network(network, squared, regression(), validation=regression(40, 60), epochs=2, learning_rate=10.0)
    assert history[0].epoch == 0
    assert same(before, network.state_dict())


def test_patience_stops():
    history = fit_network(
        perceptron(), squared, regression(), validation=regression(40, 60), epochs=500, learning_rate=1.0, patience=3
    )
    assert len(history) < 500
    assert len(history) - 1 - best_epoch(history) == 3


def test_average_is_kept_and_smoother():
    def noisy(network, batch):
        return squared(network, batch) + 0.5 * torch.randn(()) * network[0].weight.sum()

    def wander(average):
        network = perceptron()
        start = network[0].weight.detach().clone()
        fit_network(network, noisy, regression(), epochs=20, learning_rate=0.05, warm_up=0.0, average=average)
        return (network[0].weight.detach() - start).norm()

    assert 0 < wander(0.99) != wander(0.0)


def test_time_limit():
    assert len(fit_network(perceptron(), squared, regression(), epochs=50, max_minutes=0.0)) == 1


# ---- randomness and resume


def test_same_seed_same_bits_and_the_users_generator_untouched():
    torch.manual_seed(7)
    state = torch.get_rng_state()
    runs = []
    for seed in (1, 1, 2):
        network = perceptron(dropout=0.2)
        history = fit_network(network, squared, regression(), epochs=4, batch_size=8, random_state=seed)
        runs.append((bits(network), plain(history)))
    assert torch.equal(state, torch.get_rng_state())
    assert same(runs[0][0], runs[1][0])
    assert runs[0][1] == runs[1][1]
    assert not same(runs[0][0], runs[2][0])


@pytest.mark.parametrize("average", [0.0, 0.9])
def test_resume_is_as_if_never_stopped(tmp_path, average):
    options = {
        "validation": regression(40, 60), "epochs": 9, "batch_size": 7, "learning_rate": 0.05, "average": average,
        "random_state": 3, "weight_decay": 0.01,
    }  # fmt: skip
    whole = perceptron(dropout=0.3)
    undisturbed = plain(fit_network(whole, squared, regression(), **options))

    file = tmp_path / "run.safetensors"
    calls = 0

    def interrupted(network, batch):
        nonlocal calls
        calls += network.training
        if calls == 6 * 4 + 2:  # six batches an epoch: in the second step of the fifth
            raise KeyboardInterrupt
        return squared(network, batch)

    with pytest.raises(KeyboardInterrupt, match=r"run\.safetensors holds epoch 4: the same call with resume=True"):
        fit_network(perceptron(dropout=0.3), interrupted, regression(), checkpoint=file, **options)
    again = perceptron(seed=5, dropout=0.3)  # other initial weights: all comes from the checkpoint
    resumed = fit_network(again, squared, regression(), checkpoint=file, resume=True, **options)
    assert plain(resumed) == undisturbed
    assert same(whole.state_dict(), again.state_dict())

    lines = [json.loads(line) for line in (tmp_path / "run.safetensors.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == list(range(10))

    finished = perceptron(seed=6)
    assert plain(fit_network(finished, squared, regression(), checkpoint=file, resume=True, **options)) == undisturbed
    assert same(whole.state_dict(), finished.state_dict())


def test_without_resume_it_starts_anew(tmp_path):
    file = tmp_path / "run"
    for epochs in (5, 2):
        history = fit_network(perceptron(), squared, regression(), epochs=epochs, checkpoint=file)
        assert [e.epoch for e in history] == list(range(1, epochs + 1))
    assert not list(tmp_path.glob("*.part"))


def test_interrupted_without_checkpoint():
    def stop(network, batch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="nothing is kept"):
        fit_network(perceptron(), stop, regression())


# ---- refusals


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs = 0"),
        ({"batch_size": 0}, "batch_size = 0"),
        ({"data": Batches(0, lambda i: i)}, "samples = 0"),
        ({"patience": 3}, "no validation data"),
        ({"loss": lambda n, b: squared(n, b) * float("nan")}, "training loss became nan"),
    ],
)
def test_refusals(options, message):
    options = {"network": perceptron(), "loss": squared, "data": regression()} | options
    with pytest.raises(DataError, match=message):
        fit_network(**options)


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    file = tmp_path / "run"
    fit_network(perceptron(), squared, regression(), epochs=2, checkpoint=file)
    for options, message in [
        ({"epochs": 3}, "epochs 2 there, 3 here"),
        ({"epochs": 2, "data": regression(1, 41)}, "data 0-40 there, 1-41 here"),
        ({"epochs": 2, "network": nn.Linear(5, 1)}, "another network"),
    ]:
        options = {"network": perceptron(), "loss": squared, "data": regression()} | options
        with pytest.raises(WeightsError, match=message):
            fit_network(checkpoint=file, resume=True, **options)


# ---- weights files

HEADER = Header(
    class_name="Linear",
    parameters={"in_features": 5},
    grids={"energy_edges": {"values": [0.0, 0.5], "unit": "meV"}},
    data_digest="ab",
    ids=["mp-1", "mp-2"],
    seed=4,
)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
def test_weights_round_trip(tmp_path, dtype):
    tensors = {
        "a": torch.randn(3, 4).to(dtype),
        "b": torch.tensor(2),
        "empty": torch.zeros(0, 3),
        "m": torch.ones(2) > 0,
    }
    digest = save_weights(tmp_path / "new" / "w.safetensors", tensors, HEADER)
    found, header = load_weights(tmp_path / "new" / "w.safetensors", class_name="Linear")
    assert same(tensors, found)
    assert all(tensors[k].dtype == found[k].dtype for k in tensors)
    assert header.digest == digest
    assert header.version
    for name in ("class_name", "parameters", "grids", "data_digest", "ids", "seed"):
        assert getattr(header, name) == getattr(HEADER, name)


def test_tensors_that_share_memory_are_each_written(tmp_path):
    matrix = torch.arange(12.0).view(3, 4)
    tensors = {"whole": matrix, "again": matrix, "row": matrix[1], "turned": matrix.T}
    write_tensors(tmp_path / "w", tensors, {})
    assert same(tensors, read_tensors(tmp_path / "w")[0])


def test_half_precision_of_matrices_only(tmp_path):
    tensors = {"matrix": torch.randn(8, 8), "vector": torch.tensor([1e9])}
    save_weights(tmp_path / "w", tensors, HEADER, dtype=torch.float16)
    found, _ = load_weights(tmp_path / "w")
    assert found["matrix"].dtype == torch.float16
    assert found["vector"].item() == 1e9
    with pytest.raises(WeightsError, match="too large"):
        save_weights(tmp_path / "w", {"matrix": torch.full((2, 2), 1e6)}, HEADER, dtype=torch.float16)


def flip_last_byte(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: p.unlink(), "no weights file"),
        (lambda p: p.write_bytes(b""), "not a safetensors file"),
        (lambda p: p.write_bytes(b"PK\x03\x04 a pickle perhaps, but never opened as one"), "not a safetensors file"),
        (lambda p: p.write_bytes(p.read_bytes()[:-5]), "cut short"),
        (flip_last_byte, "damaged"),
        (lambda p: save_file({"a": torch.ones(2)}, p), "did not write it"),
        (lambda p: save_file({"a": torch.ones(2)}, p, metadata={"digest": "not json"}), "not a safetensors file"),
        (lambda p: write_tensors(p, {}, {"kind": "checkpoint"}), "is a checkpoint"),
        (lambda p: write_tensors(p, {}, {"kind": "weights", "news": 1, "version": "9"}), "another version"),
        (lambda p: save_weights(p, {}, Header("Other")), "holds a Other, not a Linear"),
    ],
)
def test_bad_weights_files(tmp_path, spoil, message):
    path = tmp_path / "w.safetensors"
    save_weights(path, {"a": torch.ones(3)}, HEADER)
    spoil(path)
    with pytest.raises(WeightsError, match=message):
        load_weights(path, class_name="Linear")


def test_weights_are_no_checkpoint(tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(path, {"a": torch.ones(3)}, HEADER)
    with pytest.raises(WeightsError, match="not a training checkpoint"):
        fit_network(perceptron(), squared, regression(), checkpoint=path, resume=True)
    assert read_tensors(path)[1]["kind"] == "weights"


# ---- precision, progress, many devices


def test_short_floats_learn_too():
    network = perceptron()
    history = fit_network(
        network, squared, regression(), epochs=60, batch_size=8, learning_rate=0.03, precision="bfloat16"
    )
    assert history[-1].training < 0.05 * history[0].training
    assert next(network.parameters()).dtype == torch.float32
    exact = fit_network(perceptron(), squared, regression(), epochs=1, batch_size=8, learning_rate=0.03)
    assert exact[0].training != history[0].training


def test_each_step_knows_how_far_it_is_and_each_epoch_is_reported(tmp_path):
    shares, epochs = [], []
    options = {"epochs": 4, "batch_size": 10, "checkpoint": tmp_path / "run"}
    fit_network(perceptron(), squared, regression(), on_step=shares.append, report=epochs.append, **options)
    assert shares == pytest.approx(np.arange(16) / 16)
    assert [e.epoch for e in epochs] == [1, 2, 3, 4]
    again = []
    fit_network(perceptron(), squared, regression(), max_minutes=0, **options)
    fit_network(perceptron(), squared, regression(), resume=True, on_step=again.append, **options)
    assert again == pytest.approx(np.arange(4, 16) / 16)


def test_tensorboard_gets_every_epoch(tmp_path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    from inscape.training import tensorboard

    history = fit_network(perceptron(), squared, regression(), epochs=3, report=tensorboard(tmp_path))
    log = events.EventAccumulator(str(tmp_path)).Reload()
    assert [s.value for s in log.Scalars("training")] == pytest.approx([e.training for e in history])


TWO_PROCESSES = """
import sys
import torch
from torch import nn
from inscape.training import Batches, fit_network

torch.set_num_threads(1)
torch.manual_seed(0)
x = torch.randn(43, 5)          # 41 to learn from: the last batch holds 1, so one process gets nothing
y = x.sum(dim=1).sin()
network = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))
data = Batches(41, lambda i: (x[i], y[i]))
held_out = Batches(2, lambda i: (x[41:][i], y[41:][i]))
loss = lambda n, b: (n(b[0])[:, 0] - b[1]).square().mean()
seen = []
history = fit_network(
    network, loss, data, validation=held_out, epochs=5, batch_size=8, learning_rate=0.01,
    devices=int(sys.argv[1]), strategy="ddp", report=seen.append,
)
if seen:
    torch.save([network.state_dict(), [e.training for e in history], [e.validation for e in history]], sys.argv[2])
"""


@pytest.mark.slow
def test_two_processes_find_what_one_does(tmp_path):
    pytest.importorskip("lightning_fabric")
    (tmp_path / "train.py").write_text(TWO_PROCESSES)
    found = []
    for devices in ("1", "2"):
        command = [sys.executable, str(tmp_path / "train.py"), devices, str(tmp_path / devices)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        found.append(torch.load(tmp_path / devices))
    (one, training, validation), (two, other_training, other_validation) = found
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=0, atol=1e-5)
    assert other_training == pytest.approx(training, abs=1e-5)
    assert other_validation == pytest.approx(validation, abs=1e-5)
