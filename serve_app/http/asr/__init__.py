"""whisper-asr-webservice's API, which Bazarr, Home Assistant and many others speak."""
