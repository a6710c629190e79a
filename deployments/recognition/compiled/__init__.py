"""Loops for CPUs that Numba compiles for the processor they run on.

They stand where no product of matrices does the work, and torch goes over the same memory several
times: each reads it once, on one thread, without holding Python's lock.
"""
