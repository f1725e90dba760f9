"""What takes the place of removed features."""
