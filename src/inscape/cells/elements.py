"""Groups of elements, by atomic number."""

NOBLE_GASES = frozenset((2, 10, 18, 36, 54, 86))

NOT_METALS = NOBLE_GASES | {1, *range(5, 10), *range(14, 18), *range(32, 36), *range(51, 54), 85}
"""Non-metals and half-metals: hydrogen, what lies right of the line from boron to astatine, and on it."""
