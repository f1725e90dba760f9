"""Networks, data, reference implementations and counters that several test files use."""
