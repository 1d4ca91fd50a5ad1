"""Lets `python -m fenqi` open the same door as the `fenqi` command."""

from fenqi.cli import main

if __name__ == "__main__":
    main()
