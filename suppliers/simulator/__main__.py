"""`python -m suppliers.simulator`: the chaos supplier without Django."""

import argparse

from suppliers.simulator.command_line import add_arguments, serve

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m suppliers.simulator", description=__doc__)
    add_arguments(parser)
    serve(vars(parser.parse_args()))
