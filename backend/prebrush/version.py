"""The version of prebrush, written in this one place."""

__version__ = "0.1.0"
