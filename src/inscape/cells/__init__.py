"""Cells before anything is known of their symmetry: from files and objects, checked."""
