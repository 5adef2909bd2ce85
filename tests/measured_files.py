"""Small files of measured spectra in every format that is read, made as their programs lay them out."""

import json

import h5py
import numpy as np

Q = np.linspace(0.0, 6.0, 13)
ENERGY = np.linspace(-10.0, 30.0, 21)
EI = 40.0


def small_map(seed=0):
    """Positive intensities and variances on `Q` and `ENERGY`, some bins without a detector."""
    rng = np.random.default_rng(seed)
    values = 1 + rng.random((len(Q) - 1, len(ENERGY) - 1))
    variances = 0.01 + 0.01 * rng.random(values.shape)
    values[:2, :5] = np.nan
    variances[:2, :5] = np.nan
    return values, variances


def write_histogram(path, values=None, variances=None, *, q=Q, energy=ENERGY, energy_unit="1.60218e-22*m**2*kg*s**-2"):
    """As multiphonon writes it: 0 where no detector is."""
    if values is None:
        values, variances = map(np.nan_to_num, small_map())
    with h5py.File(path, "w") as file:
        group = file.create_group("iqe")
        group["data"], group["errors"] = values, variances
        group["data"].attrs["unit"] = np.bytes_(b"1")
        axes = [("Q", q, "1e+10*m**-1")] if values.ndim == 2 else []
        for index, (name, edges, unit) in enumerate([*axes, ("energy", energy, energy_unit)]):
            axis = group.create_group(f"grid/{name}")
            axis["bin boundaries"], axis["bin centers"] = edges, (edges[1:] + edges[:-1]) / 2
            axis.attrs["index"], axis.attrs["name"] = index, np.bytes_(name.encode())
            if unit is not None:
                axis.attrs["unit"] = np.bytes_(unit.encode())
    return path


def write_nxspe(path, values, errors, polar, *, energy=ENERGY, fixed=EI, width=None, scaled=1, fermi=True, leave=()):
    """As Mantid's SaveNXSPE writes it, version 1.3."""
    with h5py.File(path, "w") as file:
        entry = file.create_group("run")
        entry["definition"] = "NXSPE"
        info = entry.create_group("NXSPE_info")
        info["fixed_energy"], info["psi"], info["ki_over_kf_scaling"] = fixed, np.nan, scaled
        instrument = entry.create_group("instrument")
        instrument["name"] = "ARCS"
        if fermi:
            instrument.create_group("fermi")["energy"] = fixed
        data = entry.create_group("data")
        data["data"], data["error"], data["energy"], data["polar"] = values, errors, energy, polar
        data["polar_width"] = np.full(len(polar), 1.0) if width is None else width
        for name in leave:
            del entry[name]
    return path


def write_workspace(path, values, errors, axis1, axis2, units, *, positions=None, incident=EI, distribution="1"):
    """As Mantid's SaveNexusProcessed writes a Workspace2D."""
    with h5py.File(path, "w") as file:
        entry = file.create_group("mantid_workspace_1")
        workspace = entry.create_group("workspace")
        workspace["values"], workspace["errors"] = values, errors
        workspace["axis1"], workspace["axis2"] = axis1, axis2
        workspace["axis1"].attrs["distribution"] = distribution
        for name, unit in zip(("axis1", "axis2"), units, strict=True):
            workspace[name].attrs["units"] = unit
        entry["instrument/name"] = "SEQUOIA"
        if positions is not None:
            entry["instrument/detector/detector_positions"] = positions
        if incident is not None:
            entry["logs/Ei/value"] = np.array([incident])
    return path


def write_mdhisto(path, values, variances, events, *, normalization=0):
    """As Mantid's SaveMD writes an MDHistoWorkspace of |Q| and energy, with a third dimension of one bin."""
    with h5py.File(path, "w") as file:
        entry = file.create_group("MDHistoWorkspace")
        entry.attrs["SaveMDVersion"] = 2
        entry["visual_normalization"] = np.uint32(normalization)
        data = entry.create_group("data")
        for name, edges, unit in (("D0", Q, "Angstrom^-1"), ("D1", ENERGY, "DeltaE"), ("D2", np.array([0, 1.0]), "K")):
            data[name] = edges
            data[name].attrs["units"] = unit
        for name, array in (("signal", values), ("errors_squared", variances), ("num_events", events)):
            data[name] = np.nan_to_num(array).T[None]
        data["mask"] = np.zeros(values.T[None].shape, dtype=np.int8)
        data["signal"].attrs["axes"] = "D2:D1:D0"
    return path


def write_euphonic(path, *, two=True, unit="millielectron_volt", energy=ENERGY):
    """As Euphonic writes Spectrum1D and Spectrum2D."""
    values = small_map()[0] if two else np.arange(1.0, len(energy))
    names = ("x", "y", "z") if two else ("x", "y")
    arrays = (Q, energy, values) if two else (energy, values)
    units = ("1 / angstrom", unit, f"millibarn / {unit}") if two else (unit, f"1 / {unit}")
    found = {"__euphonic_class__": "Spectrum2D" if two else "Spectrum1D", "__euphonic_version__": "2.1.1"}
    for name, array, label in zip(names, arrays, units, strict=True):
        found |= {f"{name}_data": np.nan_to_num(array).tolist(), f"{name}_data_unit": label}
    path.write_text(json.dumps(found))
    return path


def every_format(folder):
    """One small file of each format, by name."""
    import inscape

    values, variances = small_map()
    polar = np.linspace(5, 100, 30)
    seen = np.ones((30, len(ENERGY) - 1))
    rows = np.column_stack([np.arange(1.0, 9.0), np.arange(8.0) ** 2, np.ones(8)])
    (folder / "table.dat").write_text("# energy (meV)\n" + "\n".join(" ".join(map(str, row)) for row in rows))
    files = [
        write_histogram(folder / "map.h5"),
        write_nxspe(folder / "detectors.nxspe", seen, 0.1 * seen, polar),
        write_workspace(
            folder / "workspace.nxs", np.nan_to_num(values), np.ones_like(values), ENERGY, Q,
            ("DeltaE", "MomentumTransfer"),
        ),
        write_mdhisto(folder / "md.nxs", values, variances, np.isfinite(values) * 2.0),
        write_euphonic(folder / "spectrum.json"),
        folder / "table.dat",
    ]  # fmt: skip
    measured = inscape.read(files[0], incident_energy=EI)
    return [*files, inscape.write(measured, folder / "map.nc"), inscape.write(measured, folder / "map.csv")]
