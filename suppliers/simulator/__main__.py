"""`python -m suppliers.simulator`: the chaos supplier without Django."""

import argparse
import sys

from suppliers.simulator.command_line import add_arguments, serve

if __name__ == "__main__":
    program = sys.argv[0] if sys.argv[0].startswith("python ") else "python -m suppliers.simulator"
    parser = argparse.ArgumentParser(
        prog=program, description="A supplier that lies and fails as told, over a hidden ledger that is the truth."
    )
    add_arguments(parser)
    serve(vars(parser.parse_args()))
