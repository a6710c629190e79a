"""The recognizer's compiled loops.

They stand where torch goes over the same memory several times: each reads it once, on one thread,
without holding Python's lock.
"""
