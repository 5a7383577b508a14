"""How good the methods are on images with ground truth: what `prebrush evaluate` does.

``datasets`` finds images and masks, ``trials`` runs the methods, ``measuring`` chooses the figures that ``metrics``
defines, ``results`` averages them, ``report``, ``drawing`` and ``tables`` show them. Nothing here tunes anything.
"""
