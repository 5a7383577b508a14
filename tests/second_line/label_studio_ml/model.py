"""The base class: made for each request, with a store of texts for what outlives it."""

import json
from pathlib import Path

STORE = Path("cache.json")


class LabelStudioMLBase:
    INITIAL_MODEL_VERSION = "0.0.1"

    def __init__(self, project_id=None, label_config=None):
        self.project_id = project_id or ""
        if label_config is not None:
            self.use_label_config(label_config)
        if not self.model_version:
            self.set("model_version", self.INITIAL_MODEL_VERSION)
        self.setup()

    def setup(self):
        pass

    def use_label_config(self, label_config):
        if self.get("label_config") != label_config:
            self.set("label_config", label_config)

    def set_extra_params(self, extra_params):
        self.set("extra_params", extra_params)

    @property
    def extra_params(self):
        return json.loads(self.get("extra_params") or "{}")

    @property
    def label_config(self):
        return self.get("label_config")

    @property
    def model_version(self):
        return self.get("model_version")

    def get(self, key):
        return _read().get(f"{self.project_id}/{key}")

    def set(self, key, value):
        if not isinstance(value, str):
            raise TypeError("Value must be a string")
        STORE.write_text(json.dumps(_read() | {f"{self.project_id}/{key}": value}))

    def predict(self, tasks, context=None, **kwargs):
        raise NotImplementedError

    def fit(self, event, data, **additional_params):
        raise NotImplementedError


def _read():
    return json.loads(STORE.read_text()) if STORE.exists() else {}
