"""The demo: what `make demo` shows and `make demo-check` proves.  Import it once Django is set up."""
