"""`python -m relprop` is the `relprop` command."""

from .cli import main

if __name__ == "__main__":
    main(prog_name="relprop")
