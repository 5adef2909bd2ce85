"""A picture of one mode: atoms of a cell as circles, nearer ones in front, and arrows over them where they move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms
from ase.data import covalent_radii
from ase.neighborlist import neighbor_list
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyArrowPatch
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from inscape.plots.style import COLOURS, INK, formula_text, new_axes, space_group_text, titled
from inscape.scattering.dos import SMALLEST_ENERGY
from inscape.units import INVERSE_CM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inscape.vibrations import Vibrations

Array = NDArray[np.floating]

RADIUS = 0.4
"""Of a circle over the covalent radius."""

BOND = 1.15
"""Atoms nearer than this times the sum of their covalent radii are joined by a line."""

ARROW = 1.5
"""Length of the longest arrow, Å."""

SHORTEST = 0.04
"""Arrows below this share of the longest are left out."""

VIEWS = ((20.0, 12.0), (68.0, 16.0), (20.0, 62.0))
"""Directions of view, azimuth and elevation in degrees: the one along which the arrows are seen best is taken."""

FAINT = 0.55
"""How far the colours of what lies behind go towards white."""


def plot_mode(found: Vibrations, number: int, ax: Axes | None = None) -> Axes:
    """Atoms in the smallest cell that holds whole waves, at rest, with arrows as long as they move.

    Parameters
    ----------
    number
        Of the mode, from 1.
    """
    from inscape.vibrations.trajectory import ATOM, displaced_cell  # lattice dynamics, which other pictures do without

    ax = ax or new_axes()
    atoms, amplitudes = displaced_cell(found, number)
    positions, which = with_faces(atoms)
    arrows = ARROW * amplitudes.real[which]
    view = max((_view(*angles) for angles in VIEWS), key=lambda v: float(np.sum((arrows @ v.T)[:, :2] ** 2)))
    radii = RADIUS * covalent_radii[atoms.numbers[which]]
    symbols = list(dict.fromkeys(found.crystal.symbols))
    names = np.array(found.crystal.symbols)[atoms.arrays[ATOM]][which]
    colours = {symbol: COLOURS[i % len(COLOURS)] for i, symbol in enumerate(symbols)}
    seen, moved = positions @ view.T, arrows @ view.T
    depth = (seen[:, 2] - seen[:, 2].min()) / max(float(np.ptp(seen[:, 2])), 1e-9)
    _draw_cell(ax, atoms.cell.array @ view.T, 0.35 + float(radii.max()))
    _draw_bonds(ax, Atoms(atoms.numbers[which], positions), seen, depth)
    for i in np.argsort(depth):
        face = _faded(colours[names[i]], FAINT * (1 - depth[i]))
        place = float(seen[i, 0]), float(seen[i, 1])
        ax.add_patch(Circle(place, radii[i], facecolor=face, edgecolor="white", linewidth=0.5, zorder=3 + depth[i]))
        _draw_arrow(ax, seen[i], moved[i], _faded(INK, FAINT / 2 * (1 - depth[i])), 5 + depth[i])
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.autoscale_view()
    _legend(ax, symbols, colours)
    return titled(ax, caption(found, number))


def mode_figure(found: Vibrations, number: int) -> Figure:
    """The picture as a figure."""
    figure = Figure(figsize=(5.2, 4.6), dpi=200, layout="constrained")
    plot_mode(found, number, figure.subplots())
    return figure


def caption(found: Vibrations, number: int) -> str:
    """Crystal, wave vector, number, representation, energy and activity of a mode."""
    index = next(i for i, one in enumerate(found.sets) if number - 1 in one)
    energy = float(found.energies[number - 1])
    sign, imaginary = ("−", "i") if energy < -SMALLEST_ENERGY else ("", "")
    where = "Γ" if found.is_gamma else "(" + " ".join(f"{x:.3g}" for x in found.q) + ")"
    crystal = found.crystal
    first = f"{formula_text(crystal.formula)}  {space_group_text(crystal.space_group)}, mode {number} at {where}"
    words = [found.labels[index], found.activities[index]]
    values = (f"{abs(energy):.1f}", "meV"), (f"{abs(energy) / INVERSE_CM:.0f}", "cm⁻¹")
    second = ", ".join(f"{sign}{value}{imaginary} {unit}" for value, unit in values)
    return "\n".join([first, ", ".join([second, *(word for word in words if word)])])


def with_faces(atoms: Atoms) -> tuple[Array, NDArray[np.int64]]:
    """Positions of the atoms, those on faces of the cell on the opposite ones, too, and which atom each one is."""
    scaled = atoms.get_scaled_positions() % 1.0  # type: ignore[no-untyped-call]
    scaled[scaled > 1 - 1e-6] = 0.0
    positions, which = [], []
    for i, place in enumerate(scaled):
        for shift in np.ndindex(*(2 if x < 1e-6 else 1 for x in place)):
            positions.append(place + shift)
            which.append(i)
    return np.array(positions) @ atoms.cell.array, np.array(which)


def _view(azimuth: float, elevation: float) -> Array:
    """Rows are what is to the right, up, and towards the eye, in Cartesian coordinates."""
    a, e = np.deg2rad([azimuth, elevation])
    right = np.array([-np.sin(a), np.cos(a), 0.0])
    towards = np.array([np.cos(a) * np.cos(e), np.sin(a) * np.cos(e), np.sin(e)])
    return np.array([right, np.cross(towards, right), towards])


def _draw_cell(ax: Axes, cell: Array, gap: float) -> None:
    """The twelve edges of the cell, and the letters of its three axes, so far beyond their ends, Å."""
    for start, stop in _edges():
        ax.plot(*np.array([start @ cell, stop @ cell]).T[:2], color="0.75", linewidth=0.7, zorder=1)
    for vector, letter in zip(cell[:, :2], "abc", strict=True):
        x, y = vector * (1 + gap / max(float(np.linalg.norm(vector)), 1e-9))
        ax.text(x, y, letter, fontsize="small", style="italic", color="0.4", ha="center", va="center", zorder=7)
        ax.update_datalim([(x, y)])


def _edges() -> Iterator[tuple[Array, Array]]:
    for axis in range(3):
        for corner in np.ndindex(2, 2):
            start = np.insert(np.array(corner, dtype=float), axis, 0.0)
            yield start, start + np.eye(3)[axis]


def _draw_bonds(ax: Axes, atoms: Atoms, seen: Array, depth: Array) -> None:
    limits = BOND * covalent_radii[atoms.numbers]
    for i, j in zip(*neighbor_list("ij", atoms, limits), strict=True):  # type: ignore[no-untyped-call]
        if i < j:
            near = float(depth[[i, j]].mean())
            ax.plot(*seen[[i, j], :2].T, color=_faded("#808080", FAINT * (1 - near)), linewidth=1.4, zorder=2 + near)


def _draw_arrow(ax: Axes, start: Array, step: Array, colour: tuple[float, ...], zorder: float) -> None:
    """An arrow from an atom, with a rim; one that points along the view has hardly any length and is left out."""
    if np.linalg.norm(step[:2]) < SHORTEST * ARROW:
        return
    tail = float(start[0]), float(start[1])
    tip = tail[0] + float(step[0]), tail[1] + float(step[1])
    ax.add_patch(
        FancyArrowPatch(
            tail, tip, arrowstyle="-|>", mutation_scale=9, linewidth=1.4, color=colour, shrinkA=0, shrinkB=0,
            zorder=zorder, path_effects=[withStroke(linewidth=2.6, foreground="white")],
        )
    )  # fmt: skip
    ax.update_datalim([tip])


def _faded(colour: str, share: float) -> tuple[float, ...]:
    """A colour, so far on the way to white."""
    return tuple(float(x) for x in (1 - share) * np.array(to_rgb(colour)) + share)


def _legend(ax: Axes, symbols: list[str], colours: dict[str, str]) -> None:
    style = {"marker": "o", "linestyle": "", "markersize": 7}
    handles = [Line2D([], [], color=colours[symbol], label=symbol, **style) for symbol in symbols]  # type: ignore[arg-type]
    ax.legend(handles=handles, frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0))
