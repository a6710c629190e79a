"""What every measurement needs: recordings, errors counted, memory and time watched, tables."""
