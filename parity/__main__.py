"""``python -m parity COMMAND``: the exit code is the verdict."""

import sys
import traceback

from parity.claims import ClaimedError
from parity.commands import audit, compare, convert, diagnose, faults, ladder, record, run, transfer
from parity.commands.parser import COULD_NOT_COMPARE, OneSentenceParser
from parity.commands.terminal import flush
from parity.errors import ParityError
from parity.files import said_of
from parity.streams import print_anything

COMMANDS = {
    "run": run,
    "compare": compare,
    "diagnose": diagnose,
    "faults": faults,
    "ladder": ladder,
    "record": record,
    "convert": convert,
    "transfer": transfer,
    "audit": audit,
}
"""Each with its flags, `parser`, and what it does, `run`."""


def main() -> int:
    """0 equivalent, 1 different, 2 usage, 3 collapsed, 4 inconclusive, 5 could not compare."""
    parser = OneSentenceParser(
        prog="python -m parity",
        description="Are two separately trained models the same model?",
        epilog="exit codes: 0 equivalent, 1 different, 2 usage, 3 collapsed, 4 inconclusive, "
        "5 could not compare; diagnose: 1 where a cause is named; faults: 1 where an alarm fails; "
        "ladder: 1 where the sides part; audit: 1 where a difference is unexplained; "
        "convert and transfer: 1 where the new model answers otherwise",
    )
    subcommands = parser.add_subcommands()
    parsers = {  # only the command that is asked for gets its flags
        name: command.parser() if [name] == sys.argv[1:2] else OneSentenceParser()
        for name, command in COMMANDS.items()
    }
    for name, command in COMMANDS.items():
        subcommands.add_subcommand(name, parsers[name], help=command.HELP)
    print_anything()
    try:
        config = parser.parse_args()
        name = config.subcommand
        code: int = COMMANDS[name].run(config[name], parsers[name])
        return code
    except (ParityError, ClaimedError) as error:
        print(f"error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("stopped; finished seeds are kept and will be reused", file=sys.stderr)
    except OSError as error:
        print(f"error: {said_of(error)}", file=sys.stderr)
    except Exception:  # a mistake of ours: 1 would be a verdict
        traceback.print_exc()
    finally:
        flush()
    return COULD_NOT_COMPARE


if __name__ == "__main__":
    sys.exit(main())
