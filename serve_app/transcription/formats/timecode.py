"""Times as subtitles write them."""


def timecode(seconds: float, separator: str) -> str:
    """`HH:MM:SS,mmm`, rounded to the nearest millisecond; hours grow beyond two digits."""
    milliseconds = round(seconds * 1000)
    whole, milliseconds = divmod(milliseconds, 1000)
    minutes, second = divmod(whole, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02}:{minute:02}:{second:02}{separator}{milliseconds:03}"
