"""Formats of files with measured spectra, one module each: whether a file is of it, and what it holds."""
