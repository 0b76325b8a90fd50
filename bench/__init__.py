"""Measurements of the shipped path, as ratios against a yardstick of the same run. Not part of the tests."""
