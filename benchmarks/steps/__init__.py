"""The steps, a module for each theme; every module here is loaded."""
