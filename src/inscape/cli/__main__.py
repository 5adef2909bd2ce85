"""``python -m inscape.cli`` is the command ``inscape``."""

from inscape.cli import main

main()
