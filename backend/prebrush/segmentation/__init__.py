"""The core: arrays in, label maps out.

Code in this folder may never touch Flask, Redis, HTTP, files, the clock or the environment.
A new method is one file in ``methods/``; it is found by listing that folder. A package may bring more: see `registry`.
"""

from prebrush.segmentation.registry import DEFAULT_METHOD, METHODS, get_method

__all__ = ["DEFAULT_METHOD", "METHODS", "get_method"]
