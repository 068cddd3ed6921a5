"""The service without its Redis lock, as a baseline: what does the lock cost where nobody contends?"""
