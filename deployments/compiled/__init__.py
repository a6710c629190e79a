"""Loops for CPUs that Numba compiles for the processor they run on: what all networks need.

They stand where no product of matrices of torch's does the work, or a slower one. Each runs without
Python's lock, on the thread that calls it.
"""
