"""The `ffspec` command and `python -m ffspec`, whose imports may be interrupted too."""

from __future__ import annotations

import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command."""
    try:
        from ffspec.cli import main as command
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)
    command()


if __name__ == "__main__":
    main()
