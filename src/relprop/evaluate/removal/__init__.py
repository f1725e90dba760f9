"""Feature removal: remove what an explanation ranks first, and follow the score."""
