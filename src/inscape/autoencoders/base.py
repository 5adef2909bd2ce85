"""What every autoencoder is: an estimator in the manners of scikit-learn, from spectra to codes and back."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from inscape.autoencoders.parts import from_plain, to_plain
from inscape.autoencoders.rows import Floats, Rows, Statistics, as_rows, as_weights, check_values, statistics
from inscape.errors import DataError, WeightsError
from inscape.training import Header, load_weights, save_weights


class BaseAutoencoder(TransformerMixin, BaseEstimator, ABC):  # type: ignore[misc]
    """Abstract estimator: a family of autoencoders fills in `fit`, `_encode`, `_decode`, `_state` and `_restore`.

    Data have shape (n, d) or (n, channels, height[, width[, depth]]); NaN means *not measured*: it carries no weight
    in `fit` and `score` and is left out of the input of `transform`. Computation is in float64 if the training data
    are, otherwise in float32.

    Attributes
    ----------
    mean_, measured_
        Mean of the measured training values of each feature, and whether any was measured, shape (d,) or (channels,
        ...). `inverse_transform` gives NaN where nothing ever was.
    shape_, n_features_in_, n_samples_, dtype_
        Shape of one sample, its number of features, number of training samples, type computed in.
    digest_, seed_
        SHA-256 of the training data, and the seed that was used.
    grids_, ids_
        What `save` was told about axes and samples: empty until a file is loaded.
    """

    n_components: int | None
    random_state: int | np.random.RandomState | None
    seed_: int

    # ------------------------------------------------------------------------------------ what a family has to provide

    @abstractmethod
    def fit(self, X: ArrayLike, y: Any = None, *, sample_weight: ArrayLike | None = None) -> Self:
        """Learn to encode and decode ``X``; ``y`` is ignored."""

    @abstractmethod
    def _encode(self, rows: Floats) -> Floats:
        """Codes, shape (m, n_components), of rows, shape (m, size), NaN = not measured."""

    @abstractmethod
    def _decode(self, codes: Floats) -> Floats:
        """Rows, shape (m, size), of codes, shape (m, n_components)."""

    @abstractmethod
    def _state(self) -> Mapping[str, Tensor]:
        """All that fitting found, as named tensors."""

    @abstractmethod
    def _restore(self, tensors: dict[str, Tensor]) -> None:
        """Become what `_state` described; KeyError or RuntimeError if something does not fit."""

    # ----------------------------------------------------------------------------------------------- the public methods

    def transform(self, X: ArrayLike) -> Floats:
        """Codes of data, shape (n, n_components)."""
        rows = self._rows(X)
        codes = np.empty((len(rows), self._n_features_out), dtype=self.dtype_)
        for block in rows.slices():
            values = rows.take(block)
            check_values(values, first=block.start)
            codes[block] = self._encode(values)
        return codes

    def inverse_transform(self, codes: ArrayLike) -> Floats:
        """Data of codes, shape (n, d) or (n, channels, height, ...), the shape of a training sample."""
        check_is_fitted(self)
        array = np.asarray(codes, dtype=self.dtype_)
        if array.ndim != 2 or array.shape[1] != self._n_features_out:
            raise DataError(f"codes have shape {array.shape}; expected (n, {self._n_features_out})")
        if not np.isfinite(array).all():
            raise DataError("codes hold NaN or infinity: every element of a code is needed to decode it")
        rows = np.empty((len(array), int(np.prod(self.shape_))), dtype=self.dtype_)
        for first in range(0, len(array), 1024):
            rows[first : first + 1024] = self._decode(array[first : first + 1024])
        rows[:, ~self.measured_.reshape(-1)] = np.nan
        return rows.reshape(-1, *self.shape_)

    def score(self, X: ArrayLike, y: Any = None, *, sample_weight: ArrayLike | None = None) -> float:
        """Share of the variance of ``X`` about the training mean that survives encoding and decoding.

        1 is exact, 0 no better than the mean; NaN in ``X`` is left out. ``y`` is ignored.
        """
        rows = self._rows(X)
        weights = as_weights(sample_weight, len(rows), rows.dtype)
        mean = self.mean_.reshape(-1)
        error = spread = 0.0
        for block in rows.slices():
            values = rows.take(block)
            check_values(values, first=block.start)
            decoded = self._decode(self._encode(values))
            weight = 1.0 if weights is None else weights[block, None].astype(np.float64)
            error += float(np.nansum(weight * np.square(decoded - values, dtype=np.float64)))
            spread += float(np.nansum(weight * np.square(values - mean, dtype=np.float64)))
        if spread == 0.0:
            raise DataError("score is undefined: these data equal the training mean everywhere")
        return 1.0 - error / spread

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> NDArray[np.object_]:
        """Names of the elements of a code: ``pca0``, ``pca1``, ...; ``input_features`` is ignored."""
        check_is_fitted(self)
        return np.array([f"{type(self).__name__.lower()}{i}" for i in range(self._n_features_out)], dtype=object)

    def save(
        self,
        path: str | Path,
        *,
        grids: Mapping[str, tuple[ArrayLike, str]] | None = None,
        ids: Sequence[str] = (),
        half: bool = False,
    ) -> str:
        """Write one safetensors file with weights, constructor parameters and origin.

        Parameters
        ----------
        path
            File to write.
        grids
            Axes of the data, name -> (values, unit), for instance ``{"energy_edges": (edges, "meV")}``; by default
            those of the file that the estimator was loaded from.
        ids
            Identifiers of the training samples.
        half
            Store 16-bit floats: half the size, three to four digits.

        Returns
        -------
        str
            Digest of the weights.
        """
        check_is_fitted(self)
        header = Header(
            class_name=type(self).__name__,
            parameters=plain_parameters(self),
            grids=self.grids_ if grids is None else plain_grids(grids),
            data_digest=self.digest_,
            ids=list(ids) or self.ids_,
            seed=self.seed_,
            extra={"shape": list(self.shape_), "dtype": self.dtype_.name, "n_samples": self.n_samples_},
        )
        common = {
            "mean_": torch.from_numpy(self.mean_.reshape(-1)),
            "measured_": torch.from_numpy(self.measured_.reshape(-1)),
        }
        return save_weights(path, common | dict(self._state()), header, dtype=torch.float16 if half else None)

    @classmethod
    def load(cls, path: str | Path, **parameters: Any) -> Self:
        """The estimator that `save` wrote; `WeightsError` if the file is missing, damaged or of another class.

        ``parameters`` stand in for what no file can hold: ``architecture``, if it was a pair of torch modules. What a
        file of an earlier version does not name has its default.
        """
        tensors, header = load_weights(path, class_name=cls.__name__)
        try:
            model = cls(**{name: from_plain(value) for name, value in header.parameters.items()} | parameters)
            model.dtype_ = np.dtype(header.extra["dtype"])
            model._take_shape(tuple(header.extra["shape"]), int(header.extra["n_samples"]))
            model.mean_ = tensors.pop("mean_").numpy().reshape(model.shape_)
            model.measured_ = tensors.pop("measured_").numpy().reshape(model.shape_)
            model.digest_, model.grids_, model.ids_ = header.data_digest, header.grids, header.ids
            model.seed_ = int(header.seed or 0)
            model._restore(tensors)
        except WeightsError:
            raise
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise WeightsError(
                f"{path} (inscape {header.version}) does not fit this version's {cls.__name__}: {error}"
            ) from None
        return model

    # ------------------------------------------------------------------------------------------------- for the families

    def _begin(self, X: ArrayLike, sample_weight: ArrayLike | None) -> tuple[Rows, Floats | None, Statistics]:
        """Check everything that can be checked before fitting, and keep what every family keeps."""
        rows = as_rows(X)
        if len(rows) < 2:
            raise DataError(f"fit got {len(rows)} sample; at least 2 samples are needed")
        validate_data(self, X, skip_check_array=True)
        self._check_n_components(rows)
        weights = as_weights(sample_weight, len(rows), rows.dtype)
        found = statistics(rows, weights)
        self.dtype_ = rows.dtype
        self._take_shape(rows.shape, len(rows))
        self.mean_ = found.mean.reshape(rows.shape)
        self.measured_ = found.measured.reshape(rows.shape)
        self.digest_ = found.digest
        self.seed_ = int(check_random_state(self.random_state).randint(2**31 - 1))
        self.grids_: dict[str, dict[str, Any]] = {}
        self.ids_: list[str] = []
        return rows, weights, found

    def _check_n_components(self, rows: Rows) -> None:
        limit = self._limit(len(rows), rows.size)
        n_components = limit if self.n_components is None else self.n_components
        if not isinstance(n_components, int | np.integer) or n_components < 1:
            raise DataError(f"n_components = {n_components}; expected a whole number from 1")
        if limit is not None and n_components > limit:
            raise DataError(
                f"n_components = {n_components}; expected a whole number from 1 to {limit}, "
                f"the lesser of {len(rows)} samples and {rows.size} features"
            )

    def _limit(self, n_samples: int, size: int) -> int | None:
        """The longest code that makes sense; None where there is none."""
        return min(n_samples, size)

    def _take_shape(self, shape: tuple[int, ...], n_samples: int) -> None:
        self.shape_ = shape
        self.n_samples_ = n_samples
        self.n_features_in_ = int(np.prod(shape))
        limit = min(n_samples, self.n_features_in_)
        self._n_features_out = limit if self.n_components is None else int(self.n_components)

    def _rows(self, X: ArrayLike) -> Rows:
        """Data to encode; `DataError` unless each sample has the shape of those fitted."""
        check_is_fitted(self)
        rows = as_rows(X, dtype=self.dtype_)
        if rows.shape != self.shape_:
            got = f"{rows.size} features" if len(rows.shape) == 1 else f"samples of shape {rows.shape}"
            raise DataError(
                f"X has {got}, but {type(self).__name__} is expecting {self.n_features_in_} features as input, "
                f"in samples of shape {self.shape_}: bring the data on the grid it was fitted on"
            )
        if hasattr(X, "columns"):
            validate_data(self, X, reset=False, skip_check_array=True)
        return rows

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "shape_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def plain_parameters(estimator: BaseEstimator) -> dict[str, Any]:
    """Constructor parameters as JSON takes them; of a random generator remains the seed that was drawn from it."""
    parameters = dict(estimator.get_params(deep=False))
    if isinstance(parameters.get("random_state"), np.random.RandomState):
        parameters["random_state"] = estimator.seed_
    if not isinstance(parameters.get("architecture", ""), str):
        parameters["architecture"] = "given as torch modules"  # as which they have to be given again
    try:
        parameters = {name: to_plain(value) for name, value in parameters.items()}
        return dict(json.loads(json.dumps(parameters, default=_item)))
    except TypeError as error:
        raise WeightsError(f"{type(estimator).__name__} cannot be saved: {error}") from None


def plain_grids(grids: Mapping[str, tuple[ArrayLike, str]]) -> dict[str, dict[str, Any]]:
    """Axes as the header of a weights file holds them."""
    return {name: {"values": np.asarray(values).tolist(), "unit": unit} for name, (values, unit) in grids.items()}


def _item(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a parameter of type {type(value).__name__} cannot be written to a file")
