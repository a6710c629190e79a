"""From a URL or an upload to windows of speech: fetch, decode, find the speech, cut."""
