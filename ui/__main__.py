"""``python -m ui`` is ``fgir``."""

from ui.cli import main

if __name__ == "__main__":
    main()
