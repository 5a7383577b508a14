"""Coverage-guided fuzzing of every parser: ``python -m fuzzing --seconds 600`` with ``tests`` on the path."""
