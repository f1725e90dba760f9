"""Runs the `relprop` command as `python -m relprop`."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="relprop")
