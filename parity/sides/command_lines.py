"""One side in one process: its command line, once for each seed, its imports paid once.

``python -m parity.sides.command_lines PACKAGE FILE.json`` runs ``python -m PACKAGE`` with each list
of flags in FILE.json in turn, and goes on after one that fails, not after one that was asked to
end.
"""

import json
import runpy
import sys
from pathlib import Path

from parity.sides.process import die_with_parent


def main() -> int:
    """The number of command lines that failed, or 128 and the number of the signal."""
    die_with_parent()
    package, file = sys.argv[1:]
    failed = 0
    for flags in json.loads(Path(file).read_text(encoding="utf-8")):
        sys.argv = [package, *flags]
        try:
            runpy.run_module(package, run_name="__main__", alter_sys=True)
            code: object = 0
        except SystemExit as exit_:
            code = exit_.code
        if isinstance(code, int) and code > 128:
            return code
        failed += code not in (0, None)
    return failed


if __name__ == "__main__":
    sys.exit(main())
