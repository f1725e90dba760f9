"""The experiment: digits classified, explained and tested by feature removal, as a demo."""
