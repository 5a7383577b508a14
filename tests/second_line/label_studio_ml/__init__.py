"""Stands in for the 2.x line of ``label-studio-ml``, which no package index has: what its server asks of a model.

It behaves as ``label_studio_ml/model.py`` and ``api.py`` of HumanSignal/label-studio-ml-backend do after version 2.0.
Left out are the SDK's reading of labeling configs and every helper that prebrush does not call.
"""
