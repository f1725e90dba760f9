"""Which rule each operation gets: recipes, selectors, presets, and their text form."""
