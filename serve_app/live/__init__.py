"""Speech that is still being spoken: turns, hypotheses, and text that is never taken back."""
