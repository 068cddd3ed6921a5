"""The oversell study: what each way of keeping stock oversells and refuses, where the truth is known."""
