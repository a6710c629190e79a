"""What both storeys stand on: the stages' Protocols, what crosses the graph between them, the
errors that keep their class on the way, and where bytes may lie and be fetched from.

It knows neither the server nor the deployments, and imports nothing of them.
"""
