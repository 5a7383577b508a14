"""``python -m prebrush`` is the command line."""

from prebrush.cli import main

if __name__ == "__main__":
    main()
