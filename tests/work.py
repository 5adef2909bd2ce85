"""Work for processes that may die of it; they import this file."""

import os
import signal
from pathlib import Path


def square(number):
    """Nothing bad."""
    return number**2


def square_unless_three(number):
    """The square of a number; three kills the process."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number**2


def survive_second(path):
    """Kills the process when it is called for the first time."""
    if not Path(path).exists():
        Path(path).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def fail(number):
    """Fails where work should not."""
    raise OSError(28, "No space left on device")
