"""Trains one network within its time: losses, schedule, augmentation, teachers."""
