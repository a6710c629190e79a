"""What somebody says, as captions: from a microphone or a pipe."""
