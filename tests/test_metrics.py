"""Figures of merit of cases whose value is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inscape.metrics import cosine, overlap, r_squared, wasserstein
from inscape.spectra import native_energy_edges

spectra = arrays(float, 8, elements=st.floats(0.01, 10))
EDGES = np.array([0.0, 1, 2, 4, 5, 7, 8, 9, 12])


def peak(at, edges):
    values = np.zeros(len(edges) - 1)
    values[at] = 1 / (edges[at + 1] - edges[at])
    return values


def test_the_wasserstein_distance_of_two_peaks_is_how_far_they_are_apart():
    edges = np.linspace(0, 10, 101)
    assert wasserstein(peak(20, edges), peak(53, edges), edges) == pytest.approx(3.3)
    assert wasserstein(5 * peak(20, edges), peak(20, edges), edges) == 0


@given(spectra, spectra, spectra)
def test_the_wasserstein_distance_is_a_distance(p, t, u):
    assert wasserstein(p, p, EDGES) == pytest.approx(0, abs=1e-12)
    assert wasserstein(p, t, EDGES) == pytest.approx(wasserstein(t, p, EDGES))
    assert wasserstein(p, u, EDGES) <= wasserstein(p, t, EDGES) + wasserstein(t, u, EDGES) + 1e-9


def test_the_wasserstein_distance_of_many():
    edges = native_energy_edges()
    p, t = np.random.default_rng(0).random((2, 3, 4, 300))
    found = wasserstein(p, t, edges)
    assert found.shape == (3, 4)
    assert found[1, 2] == wasserstein(p[1, 2], t[1, 2], edges)


@given(spectra)
def test_a_perfect_prediction(t):
    assert r_squared(t, t + np.arange(8)) <= 1
    assert r_squared(t + np.arange(8), t + np.arange(8)) == 1
    assert cosine(t, t) == pytest.approx(1)
    assert cosine(3 * t, t) == pytest.approx(1)
    assert overlap(t, t, 0.5) == 1


def test_the_mean_explains_nothing():
    t = np.array([1.0, 2, 3, 6])
    assert r_squared(np.full(4, t.mean()), t) == 0


def test_spectra_that_do_not_overlap():
    p, t = np.array([2.0, 0, 0, 0]), np.array([0, 0, 1.0, 1])
    assert overlap(p, t, 0.5) == 0
    assert cosine(p, t) == 0


def test_cosines_of_nothing():
    """Nothing to compare with is left out of averages; a prediction of nothing is worth nothing."""
    rows = cosine(np.array([[1.0, 0], [0, 0], [0, 0]]), np.array([[0.0, 0], [1, 0], [0, 0]]))
    np.testing.assert_array_equal(rows, [np.nan, 0.0, np.nan])


def test_cosine_along_another_axis():
    p, t = np.random.default_rng(0).random((2, 5, 6))
    np.testing.assert_allclose(cosine(p, t, axis=0), cosine(p.T, t.T))
