"""Decoding on a GPU, where whatever happens for each token is captured once and then replayed.

A step of a few rows takes a GPU less time than Python needs to launch its kernels. So a step is one
recorded piece of work with fixed shapes (`graphs`) over memory laid out beforehand (`state`): it
takes in what begins, reads each row's own length (`kernels`, or `plain` where these cannot be
compiled), chooses by the rules and moves on, and the host reads its results while the next
step runs (`batch`). Windows are encoded the same way, ahead of the decoding (`encoding`).
"""
