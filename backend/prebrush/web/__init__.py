"""The web face: `create_app(settings)` is the one way to an app."""

from prebrush.web.app import create_app

__all__ = ["create_app"]
