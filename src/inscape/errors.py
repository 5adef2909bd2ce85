"""The exception tree.

    InscapeError                 anything inscape refuses; the CLI prints it and exits with status 2
    ├── StructureError           a crystal structure that cannot be used
    ├── ForceConstantsError      force constants that cannot be read or break a sum rule
    ├── GridError                an energy, |Q| or plane grid that makes no sense
    ├── InstrumentError          an instrument that does not exist, or not in this setting
    ├── EngineError              an interatomic potential that does not exist or cannot be used
    ├── DataError                data that do not fit the model or file they are given to
    ├── LibraryError             a spectral library that is missing, foreign or damaged
    ├── WeightsError             a checkpoint that is missing, foreign or damaged
    └── MissingPackageError      an optional package that has to be installed first

Each message says what came, what was expected and what to do. Every class is also a ``ValueError``, but for
`MissingPackageError`, which is an ``ImportError``.
"""


class InscapeError(Exception):
    """Base of everything that inscape refuses."""


class StructureError(InscapeError, ValueError):
    """A crystal structure that cannot be used."""


class ForceConstantsError(InscapeError, ValueError):
    """Force constants that cannot be read or that break a sum rule."""


class GridError(InscapeError, ValueError):
    """A grid or plane that makes no sense."""


class InstrumentError(InscapeError, ValueError):
    """An instrument that does not exist, or not in this setting."""


class EngineError(InscapeError, ValueError):
    """An interatomic potential that does not exist or cannot be used."""


class DataError(InscapeError, ValueError):
    """Data that do not fit the model or file they are given to."""


class LibraryError(InscapeError, ValueError):
    """A spectral library that is missing, foreign or damaged."""


class WeightsError(InscapeError, ValueError):
    """A checkpoint that is missing, foreign or damaged."""


class MissingPackageError(InscapeError, ImportError):
    """An optional package that has to be installed first."""
