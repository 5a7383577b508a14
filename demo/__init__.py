"""``make demo``: a Label Studio of its own, with sample images and a connected prebrush, until Ctrl-C."""
