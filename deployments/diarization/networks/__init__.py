"""The networks as they run here, with the numbers of the models that they are made from."""
