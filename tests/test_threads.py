"""Work shared between cores: the same results in the same order, one level deep, errors told."""

import threading

import numpy as np
import pytest
import torch

from crystals import QUARTZ, force_constants_of
from inscape import read_structure
from inscape.lattice import modes_at
from inscape.prediction import predict_many
from inscape.threads import cores, shares, side_by_side


@pytest.fixture
def two(monkeypatch):
    """Two cores, whatever there are."""
    monkeypatch.setenv("OMP_NUM_THREADS", "2")


def test_the_variable_says_how_many_cores(monkeypatch):
    for said, expected in (("1", 1), ("3", 3), ("0", 1)):
        monkeypatch.setenv("OMP_NUM_THREADS", said)
        assert cores() == expected
    for nothing in ("", "4,2", "many"):
        monkeypatch.setenv("OMP_NUM_THREADS", nothing)
        assert cores() >= 1


def test_calls_run_at_the_same_time_and_results_keep_their_order(two):
    meeting = threading.Barrier(2, timeout=20)  # no call passes before the other has come

    def call(number):
        meeting.wait()
        return number

    assert side_by_side([lambda: call(1), lambda: call(2)]) == [1, 2]
    assert side_by_side([]) == []
    assert side_by_side(lambda n=n: n for n in range(5)) == list(range(5))


def test_calls_within_calls_run_one_after_the_other(two):
    def within():
        return side_by_side([threading.get_ident, threading.get_ident])

    for first, second in side_by_side([within, within]):
        assert first == second


def test_cores_that_another_thread_has_taken_are_not_taken_twice(two):
    inside, done = threading.Event(), threading.Event()

    def wait():
        inside.set()
        return done.wait(20)

    other = threading.Thread(target=side_by_side, args=([wait, wait],))
    other.start()
    assert inside.wait(20)
    here = side_by_side([threading.get_ident, threading.get_ident])
    done.set()
    other.join()
    assert here == [threading.get_ident()] * 2
    assert threading.get_ident() not in side_by_side([threading.get_ident] * 2)  # free again


def test_one_core_needs_no_threads(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert side_by_side([threading.get_ident] * 2) == [threading.get_ident()] * 2


def test_errors_come_through_and_torch_gets_its_threads_back(two):
    before = torch.get_num_threads()

    def wrong():
        raise ValueError("the second")

    with pytest.raises(ValueError, match="the second"):
        side_by_side([lambda: 1, wrong])
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("n", "most", "expected"), [(10, 100, [5, 5]), (10, 3, [3, 3, 3, 1]), (1, 9, [1]), (0, 9, [])])
def test_shares_hold_all_and_leave_no_core_idle(two, n, most, expected):
    found = shares(n, most)
    assert [s.stop - s.start for s in found] == expected
    assert [i for s in found for i in range(n)[s]] == list(range(n))


def test_modes_and_predictions_are_those_of_one_core(monkeypatch):
    crystal = read_structure(QUARTZ.atoms)
    constants = force_constants_of(QUARTZ)
    q = np.random.default_rng(0).uniform(-1, 1, (7, 3))
    found = {}
    for n in ("1", "2"):
        monkeypatch.setenv("OMP_NUM_THREADS", n)
        found[n] = modes_at(constants, q), predict_many([crystal] * 3, de=2.0, dq=0.5)
    np.testing.assert_allclose(found["2"][0].energies, found["1"][0].energies, atol=1e-9)
    for one, other in zip(found["1"][1], found["2"][1], strict=True):
        for name in ("dos", "powder", "crystal"):
            np.testing.assert_allclose(other.dataset[name], one.dataset[name], rtol=1e-3, atol=1e-5)
