"""What a code means: its elements one by one, the observables they follow, curves over sizes, maps of all codes.

`meaning` is the one to begin with: it says in words which element follows which observable. Everything takes codes, as
`transform` gives them, or a fitted autoencoder of any kind. Pictures are in `inscape.plots`.
"""

from inscape.explore.atlas import Atlas, atlas, decoded, find, ranges, spectra_of_index
from inscape.explore.curves import label_curve, rate_distortion
from inscape.explore.elements import Activity, activity, atoms, most_activating, traversal
from inscape.explore.maps import chemiscope_page, code_map
from inscape.explore.meaning import Meaning, linear_probe, meaning
from inscape.explore.observables import crystal_observables, dos_observables

__all__ = [
    "Activity", "Atlas", "Meaning", "activity", "atlas", "atoms", "chemiscope_page", "code_map", "crystal_observables",
    "decoded", "dos_observables", "find", "label_curve", "linear_probe", "meaning", "most_activating", "ranges",
    "rate_distortion", "spectra_of_index", "traversal",
]  # fmt: skip
