#!/usr/bin/env python
"""Django's command line for Holdfast."""

import os
import sys
from runpy import run_module

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "inventory_project.settings")
    if sys.argv[1:2] == ["chaos_supplier"]:
        # It stands alone: whoever wants to try it need not set up anything of ours.
        sys.argv = ["python manage.py chaos_supplier", *sys.argv[2:]]
        run_module("suppliers.simulator", run_name="__main__")
    else:
        execute_from_command_line(sys.argv)
