"""Times as subtitles write them."""


def timecode(milliseconds: int, separator: str) -> str:
    """`HH:MM:SS,mmm`; hours grow beyond two digits."""
    whole, rest = divmod(milliseconds, 1000)
    minutes, second = divmod(whole, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02}:{minute:02}:{second:02}{separator}{rest:03}"
