"""The door of the program, as `fenqi` and as `python -m fenqi`.

It opens before the rest is loaded, so that Ctrl-C in the first half second is quiet too.
"""

import importlib
import sys

INTERRUPTED = 130


def main() -> None:
    """Load the program and run it."""
    try:
        importlib.import_module("fenqi.cli").main()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
