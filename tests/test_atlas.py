"""The map of known crystals: they are found by formula, spectra and codes are those of the index."""

import numpy as np
import pytest

from inscape.errors import DataError, GridError
from inscape.explore import atlas, decoded, find, ranges, spectra_of_index
from inscape.index import shipped_index
from inscape.spectra import native_energy_edges


@pytest.mark.parametrize("text", ["SiO2", "O2Si", "Si2O4"])
def test_formulas_are_found_in_any_order(text):
    index = shipped_index()
    assert {index.formulas[n] for n in find(index, text)} == {"SiO2"}


def test_systems_and_ids_are_found():
    index = shipped_index()
    systems = {index.formulas[n] for n in find(index, "O-Si", limit=1000)}
    assert "SiO2" in systems
    assert all(set("SiO0123456789") >= set(formula) for formula in systems)
    assert find(index, index.ids[7]) == [7]
    assert find(index, "mp-0") == []
    assert len(find(index, "Si-O", limit=2)) == 2
    for text in ("", "sio2", "../x", "mp-x"):
        with pytest.raises(DataError, match="expected a formula"):
            find(index, text)


def test_an_atlas_has_a_point_for_each_crystal():
    found = atlas("dos")
    assert found.coordinates.shape == (len(found.index), 2)
    assert all(values.shape == (len(found.index),) for values in found.properties.values())
    middle = (native_energy_edges()[1:] + native_energy_edges()[:-1]) / 2
    share = found.index.dos[3] * np.diff(native_energy_edges())
    assert found.properties["mean energy"][3] == pytest.approx(share @ middle / share.sum(), rel=1e-5)
    assert "test" not in found.index.splits
    with pytest.raises(DataError, match="expected 'dos' or 'powder'"):
        atlas("spam")


def test_the_code_of_a_crystal_means_its_spectrum():
    index = shipped_index()
    errors = []
    for number in range(0, len(index), 500):
        code = index.codes["dos"][number]
        dos = decoded("dos", code)["dos"].values
        widths = np.diff(native_energy_edges())
        assert dos @ widths == pytest.approx(1)
        errors.append(np.abs(np.cumsum((dos - index.dos[number]) * widths)) @ widths)
    assert np.median(errors) < 1.0  # Wasserstein-1, meV
    density = decoded("powder", index.codes["powder"][0])["density"].values
    assert density.mean() == pytest.approx(1, abs=0.1)
    for code in ([1.0], [np.nan] * 32):
        with pytest.raises(DataError, match="expected 32 finite numbers"):
            decoded("dos", code)


def test_ranges_hold_nearly_all_codes():
    found = ranges("powder")
    codes = shipped_index().codes["powder"]
    inside = (codes >= found["low"]) & (codes <= found["high"])
    assert inside.mean() == pytest.approx(0.98, abs=0.002)


def test_warm_crystals_scatter_less_at_large_q():
    index = shipped_index()
    cold, warm = (spectra_of_index(index, 0, kelvin)["powder"] for kelvin in (10.0, 900.0))
    ratio = [float(p[-1].sum() / p[10].sum()) for p in (cold, warm)]
    assert ratio[1] < ratio[0]
    assert float(cold.mean()) == pytest.approx(1)
    with pytest.raises(GridError):
        spectra_of_index(index, 0, -1.0)
