"""A small comparison that several test files look at."""

from click.testing import CliRunner

from relprop.cli import main

COUNT = 257  # a block of 250, and a second one with another mean
MODEL, METHODS = "mnist-dnn-300-100", ("gradient-x-input", "gamma:gamma=0.5")
FILES = ("results.json", "results.csv", "curves.png")


def relprop_command(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])
