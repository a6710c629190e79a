"""From the channels of a recording to the one that is recognized."""
