"""Corruptions: their statistics, their seeds, gaps that stay gaps; and what was learnt from them undoes them."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from inscape.autoencoders import PCA, Autoencoder, corrupt
from inscape.autoencoders.corruptions import (
    Background,
    Deformation,
    ElasticLine,
    Gaussian,
    KinematicMask,
    Masking,
    MissingBands,
    Poisson,
    ResolutionBlur,
    SaltAndPepper,
)
from inscape.errors import DataError

torch.set_num_threads(1)

X = np.random.default_rng(0).uniform(0.5, 1.5, (400, 1, 6, 10))
ALL = [
    Gaussian(0.1),
    Masking(0.3),
    Masking(0.3, 0.0),
    SaltAndPepper(0.2),
    Poisson(500.0),
    Poisson((50.0, 5000.0)),
    ResolutionBlur(1.2),
    MissingBands(2, 2),
    Background(0.2, 0.3),
    Deformation(),
    Background(0.2, 0.3, share=0.5),
    Poisson((50.0, 5000.0), uneven=1.0),
    ElasticLine(0.3, share=0.9),
    KinematicMask(("ARCS", "MARI"), (-0.5, 0.95)),
    (Poisson(500.0), MissingBands(1, 3), Background(0.1)),
]


@pytest.mark.parametrize("corruption", ALL, ids=repr)
def test_same_seed_same_noise_and_gaps_stay(corruption):
    gaps = X.copy()
    gaps[np.random.default_rng(1).random(X.shape) < 0.2] = np.nan
    before, state = gaps.copy(), torch.get_rng_state()
    one, again, other = (corrupt(gaps, corruption, random_state=seed) for seed in (0, 0, 1))
    assert_array_equal(one, again)
    if not isinstance(corruption, ResolutionBlur):
        assert not np.array_equal(one, other, equal_nan=True)
    assert np.isnan(one[np.isnan(gaps)]).all()
    assert_array_equal(gaps, before)
    assert torch.equal(state, torch.get_rng_state())
    assert one.shape == X.shape


def test_statistics():
    noise = corrupt(X, Gaussian(0.1)) - X
    assert noise.std() == pytest.approx(0.1, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=2e-3)
    assert np.isnan(corrupt(X, Masking(0.3))).mean() == pytest.approx(0.3, abs=0.01)
    assert (corrupt(X, Masking(0.3, 0.0)) == 0).mean() == pytest.approx(0.3, abs=0.01)
    salted = corrupt(X, SaltAndPepper(0.2)).reshape(400, -1)
    flat = X.reshape(400, -1)
    assert (salted != flat).mean() == pytest.approx(0.2, abs=0.02)
    assert_array_equal(salted.max(1), flat.max(1))
    for extreme in (flat.min(1), flat.max(1)):
        assert (salted == extreme[:, None]).mean() == pytest.approx(0.1, abs=0.025)


@pytest.mark.parametrize("dose", [100.0, 1e4])
def test_counting_noise_has_the_mean_and_variance_of_its_dose(dose):
    sample = np.random.default_rng(2).uniform(0, 1, (1, 8))
    noisy = corrupt(np.repeat(sample, 20000, axis=0), Poisson(dose))
    assert_allclose(noisy.mean(0), sample[0], rtol=0.05, atol=0.01)
    assert_allclose(noisy.var(0), sample[0] * sample.sum() / dose, rtol=0.06)
    counts = noisy * dose / sample.sum()
    assert_allclose(counts, np.round(counts), atol=1e-6 * dose)


def test_blur_spreads_and_keeps_a_flat_line():
    peak = np.zeros((1, 41))
    peak[0, 20] = 1
    blurred = corrupt(peak, ResolutionBlur(2.0))[0]
    x = np.arange(41) - 20
    assert_allclose(blurred, np.exp(-0.5 * (x / 2) ** 2) / np.exp(-0.5 * (x / 2) ** 2).sum(), atol=1e-3)
    flat = np.ones((3, 9))
    flat[:, 4] = np.nan
    assert_allclose(np.delete(corrupt(flat, ResolutionBlur(1.0)), 4, axis=1), 1)
    along = corrupt(X, ResolutionBlur(1.0, axis=-2))
    assert_allclose(along, corrupt(X.swapaxes(-1, -2), ResolutionBlur(1.0)).swapaxes(-1, -2))


def test_bands_are_bands():
    lost = np.isnan(corrupt(X, MissingBands(1, 3, axis=-2)))[:, 0]
    assert_array_equal(lost, np.repeat(lost[:, :, :1], 10, axis=2))
    rows = lost[:, :, 0]
    assert (rows.sum(1) == 3).all()
    assert (np.abs(np.diff(rows.astype(int), axis=1)).sum(1) <= 2).all()
    assert rows.any(0).all()


def test_background_is_a_straight_line():
    added = corrupt(X, Background(0.2, 0.3)) - X
    line = added[:, 0, 0]
    assert_allclose(added, np.broadcast_to(line[:, None, None], X.shape), atol=1e-12)
    assert_allclose(np.diff(line, 2), 0, atol=1e-12)
    size = X.reshape(400, -1).max(1)
    assert (line.mean(1) / size).min() >= 0
    assert (line.mean(1) / size).max() == pytest.approx(0.2, abs=0.01)
    tilt = (line[:, -1] - line[:, 0]) / size
    assert tilt.min() == pytest.approx(-0.3, abs=0.01)
    assert tilt.max() == pytest.approx(0.3, abs=0.01)


STILL = {"angle": 0.0, "shear": 0.0, "stretch": 0.0, "shift": 0.0, "bend": 0.0}


def moved(deformation, width=30):
    """Where a round spot two rows and two columns beside the middle of an image of 20 rows goes, shape (2000, 2)."""
    row, column = np.mgrid[:20, :width] + 0.5
    row, column = row - 10, column - width / 2
    spot = np.exp(-0.5 * ((row - 2) ** 2 + (column - 2) ** 2) / 1.5**2)
    images = corrupt(np.broadcast_to(spot, (2000, 1, 20, width)).copy(), deformation)[:, 0]
    mass = images.sum(axis=(1, 2))
    return np.stack([(images * place).sum(axis=(1, 2)) / mass for place in (row, column)], axis=1)


def test_no_deformation_is_none():
    assert_allclose(corrupt(X, Deformation(**STILL)), X, atol=1e-12)


def test_images_move_by_as_many_bins_as_asked_for():
    steps = moved(Deformation(**STILL | {"shift": 0.7})) - 2
    assert_allclose(steps.std(axis=0), 0.7, rtol=0.05)
    assert_allclose(steps.mean(axis=0), 0.0, atol=0.05)


@pytest.mark.parametrize("width", [20, 30])
def test_images_turn_about_their_middle(width):
    place = moved(Deformation(**STILL | {"angle": 20.0}), width)
    assert_allclose(np.hypot(*place.T), np.sqrt(8), rtol=0.02)
    angles = np.degrees(np.arctan2(place[:, 0], place[:, 1])) - 45
    assert angles.std() == pytest.approx(20.0, rel=0.06)


@pytest.mark.parametrize("corruption", [Gaussian(0.5), Masking(0.5, 0.0)], ids=repr)
def test_denoising_beats_projection(corruption):
    """A code learnt from corrupted samples decodes to cleaner ones than PCA's."""
    t = np.random.default_rng(3).uniform(0.2, 0.8, (600, 1))
    clean = np.exp(-0.5 * ((np.linspace(0, 1, 32) - t) / 0.1) ** 2).astype(np.float32)
    noisy = corrupt(clean[500:], corruption, random_state=9)
    options = {"hidden": (64,), "epochs": 40, "learning_rate": 3e-3, "random_state": 0}
    model = Autoencoder(8, corruption=corruption, **options).fit(clean[:500])

    def error(coder):
        return np.square(coder.inverse_transform(coder.transform(noisy)) - clean[500:]).mean()

    assert error(model) < 0.7 * min(error(PCA(k).fit(clean[:500])) for k in (2, 4, 8))


def test_refused():
    with pytest.raises(DataError, match="counts cannot be negative"):
        corrupt(X - 1, Poisson(100.0))
    with pytest.raises(DataError, match="counts cannot be negative"):
        Autoencoder(2, corruption=Poisson(100.0)).fit(X - 1)
    with pytest.raises(DataError, match="leaves nothing"):
        corrupt(X, MissingBands(5, 2))
    with pytest.raises(DataError, match="axes -3 to 2"):
        corrupt(X, ResolutionBlur(1.0, axis=3))
    with pytest.raises(DataError, match="is for images"):
        corrupt(X[:, 0, 0], Deformation())
    with pytest.raises(DataError, match="expected a Corruption"):
        corrupt(X, "noise")


def test_a_range_of_widths_blurs_each_sample_by_its_own():
    peak = np.zeros((200, 41))
    peak[:, 20] = 1
    blurred = corrupt(peak, ResolutionBlur((0.5, 4.0)))
    widths = np.sqrt((blurred * (np.arange(41) - 20) ** 2).sum(1) / blurred.sum(1))
    assert widths.min() < 0.8
    assert widths.max() > 3.0


def test_uneven_counting_has_the_mean_and_the_variance_that_it_states():
    sample = torch.full((4000, 30), 3.0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        values, unit = Poisson(900.0, uneven=1.0).measure(sample, (5, 6))
    assert_allclose(values.mean(0), 3.0, rtol=0.05)
    assert_allclose(((values - 3) ** 2).mean(0), (values * unit).mean(0), rtol=0.15)
    assert unit.max() > 3 * unit.min()
    assert_allclose(values / unit, torch.round(values / unit), atol=1e-3)


def test_an_elastic_line_is_where_it_is_asked_for():
    flat = np.ones((300, 1, 8, 50))
    found = corrupt(flat, ElasticLine(0.35, height=10.0, sigma=(0.6, 1.5), share=0.5)) - flat
    lines = found.reshape(300, 8, 50)
    has = lines.max((1, 2)) > 0
    assert 0.4 < has.mean() < 0.6
    assert set(lines[has].sum(1).argmax(1)) <= {17, 16}  # 0.35 · 50 is the border of bins 16 and 17
    assert lines.max() <= 10.0
    assert_allclose(lines[:, :, 30:], 0, atol=1e-6)


def test_a_kinematic_mask_is_what_the_instrument_reaches():
    from inscape.scattering import Setting, instrument
    from inscape.units import HBAR2_2MN

    found = corrupt(np.ones((64, 1, 12, 20)), KinematicMask(("SEQUOIA",), (-0.5, 0.95), momenta=(1.4,), share=1.0))
    angles = instrument("SEQUOIA", e_i=50.0).angles
    q = np.sqrt(50.0 / HBAR2_2MN) * np.linspace(0, 1.4, 13)
    reached = Setting("SEQUOIA", "direct", 50.0, angles).reach(q, 50.0 * np.linspace(-0.5, 0.95, 21))
    for sample in found[:, 0]:
        assert_array_equal(~np.isnan(sample), reached)


def test_only_a_known_spectrometer_of_direct_geometry_masks():
    from inscape.errors import InstrumentError

    with pytest.raises(InstrumentError, match=r"direct geometry is called TOSCA"):
        corrupt(np.ones((2, 1, 4, 4)) * [1, 2, 3, 4], KinematicMask(("TOSCA",), (-0.5, 0.95)))
