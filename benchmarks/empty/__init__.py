"""What an answer costs that says nothing: the service with one more view, which is empty."""
