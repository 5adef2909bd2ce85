"""Grids of energy and |Q|: rebinning keeps areas, smoothing keeps weight, senseless grids are refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inscape.errors import GridError
from inscape.spectra import (
    NATIVE_ENERGY_MAX,
    centres,
    check_edges,
    native_energy_edges,
    native_q_edges,
    rebin,
    smooth,
    uniform_edges,
)

widths = arrays(float, st.integers(1, 12), elements=st.floats(0.01, 10))


def grid(steps, start=0.0):
    return start + np.concatenate([[0.0], np.cumsum(steps)])


@given(widths, widths, st.data())
def test_rebinning_keeps_the_area(old_steps, new_steps, data):
    old = grid(old_steps)
    values = data.draw(arrays(float, (2, len(old_steps)), elements=st.floats(0, 100)))
    new = grid(new_steps * old[-1] / new_steps.sum())
    found = rebin(values, old, new)
    assert found.shape == (2, len(new_steps))
    np.testing.assert_allclose(found @ np.diff(new), values @ np.diff(old), rtol=1e-9, atol=1e-9)
    assert found.min() >= -1e-9


@given(widths, st.data())
def test_rebinning_to_a_finer_grid_and_back_changes_nothing(steps, data):
    old = grid(steps)
    values = data.draw(arrays(float, len(steps), elements=st.floats(-10, 10)))
    fine = np.union1d(old, np.linspace(0, old[-1], 37))
    fine = fine[np.concatenate([[True], np.diff(fine) > 1e-9])]
    np.testing.assert_allclose(rebin(rebin(values, old, fine), fine, old), values, atol=1e-5)


def test_rebinning_to_the_same_grid_changes_nothing():
    values = np.random.default_rng(0).random((3, 300))
    np.testing.assert_allclose(rebin(values, native_energy_edges(), native_energy_edges()), values, rtol=1e-9)


def test_a_constant_stays_constant_and_nothing_lies_outside():
    found = rebin(np.full(4, 2.0), grid(np.ones(4), 1.0), np.array([0.0, 1.0, 1.7, 4.2, 5.0, 5.5, 9.0]))
    np.testing.assert_allclose(found, [0, 2, 2, 2, 0, 0], atol=1e-12)


def test_bins_that_overlap_partly():
    np.testing.assert_allclose(rebin(np.array([4.0, 2.0]), grid([1.0, 1.0]), np.array([0.5, 1.5, 2.5])), [3.0, 1.0])


def test_rebinning_along_another_axis_keeps_shape_and_type():
    values = np.random.default_rng(0).random((2, 6, 3)).astype(np.float32)
    old, new = grid(np.ones(6)), grid(np.full(4, 1.5))
    found = rebin(values, old, new, axis=1)
    assert found.shape == (2, 4, 3)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.moveaxis(rebin(np.moveaxis(values, 1, -1), old, new), -1, 1), rtol=1e-6)


def test_a_spectrum_on_another_grid_is_refused():
    with pytest.raises(GridError, match="spectrum has 5 bins along this axis, its grid has 4"):
        rebin(np.ones(5), grid(np.ones(4)), grid(np.ones(2)))


def test_native_energies_widen_like_the_resolution_of_a_spectrometer():
    edges = native_energy_edges()
    assert edges.shape == (301,)
    assert edges[0] == 0
    assert edges[-1] == pytest.approx(NATIVE_ENERGY_MAX)
    np.testing.assert_allclose(np.diff(edges), 0.25 + 0.01 * edges[:-1], rtol=0.02)


def test_native_wave_vectors():
    np.testing.assert_allclose(native_q_edges(), np.arange(101) / 10)


@given(st.floats(0.1, 500), st.floats(0.1, 20))
def test_equal_steps_reach_the_end(stop, step):
    if step > stop:
        with pytest.raises(GridError):
            uniform_edges(stop, step)
        return
    edges = uniform_edges(stop, step)
    assert edges[0] == 0
    assert stop - 1e-6 <= edges[-1] < stop + step
    np.testing.assert_allclose(np.diff(edges), step)


@pytest.mark.parametrize(("stop", "step"), [(0, 1), (-5, 1), (5, 0), (5, -1), (np.nan, 1), (5, np.inf), (1, 2)])
def test_senseless_steps_are_refused(stop, step):
    with pytest.raises(GridError, match="energy: got an upper end"):
        uniform_edges(stop, step, name="energy")


def test_too_many_bins_are_refused():
    with pytest.raises(GridError, match="20001 bins asked for; at most 20000"):
        uniform_edges(20001, 1)


@pytest.mark.parametrize("edges", [[1.0], [0, 1, 1], [0, 2, 1], [0, np.nan], [[0, 1]], []])
def test_edges_that_do_not_increase_are_refused(edges):
    with pytest.raises(GridError, match="finite, increasing"):
        check_edges(edges)


def test_edges_are_taken_as_floats():
    assert check_edges([0, 1, 3]).dtype == float
    np.testing.assert_allclose(centres(check_edges([0, 1, 3])), [0.5, 2.0])


@given(arrays(float, 40, elements=st.floats(0, 10)), st.floats(0.3, 4))
def test_no_weight_is_smoothed_away(values, sigma):
    assert smooth(values, sigma, 0.5).sum() == pytest.approx(values.sum(), rel=1e-6, abs=1e-9)


def test_smoothing_is_a_gaussian_of_the_given_width():
    values = np.zeros(401)
    values[200] = 1.0
    x = (np.arange(401) - 200) * 0.25
    found = smooth(values, 2.0, 0.25)
    np.testing.assert_allclose(found, 0.25 * np.exp(-(x**2) / 8) / np.sqrt(8 * np.pi), atol=2e-5)
