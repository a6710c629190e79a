"""The languages Whisper knows, by ISO code and by English name."""

NAMES = {
    "af": "afrikaans", "am": "amharic", "ar": "arabic", "as": "assamese", "az": "azerbaijani",
    "ba": "bashkir", "be": "belarusian", "bg": "bulgarian", "bn": "bengali", "bo": "tibetan",
    "br": "breton", "bs": "bosnian", "ca": "catalan", "cs": "czech", "cy": "welsh",
    "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish",
    "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish", "fo": "faroese",
    "fr": "french", "gl": "galician", "gu": "gujarati", "ha": "hausa", "haw": "hawaiian",
    "he": "hebrew", "hi": "hindi", "hr": "croatian", "ht": "haitian creole", "hu": "hungarian",
    "hy": "armenian", "id": "indonesian", "is": "icelandic", "it": "italian", "ja": "japanese",
    "jw": "javanese", "ka": "georgian", "kk": "kazakh", "km": "khmer", "kn": "kannada",
    "ko": "korean", "la": "latin", "lb": "luxembourgish", "ln": "lingala", "lo": "lao",
    "lt": "lithuanian", "lv": "latvian", "mg": "malagasy", "mi": "maori", "mk": "macedonian",
    "ml": "malayalam", "mn": "mongolian", "mr": "marathi", "ms": "malay", "mt": "maltese",
    "my": "myanmar", "ne": "nepali", "nl": "dutch", "nn": "nynorsk", "no": "norwegian",
    "oc": "occitan", "pa": "punjabi", "pl": "polish", "ps": "pashto", "pt": "portuguese",
    "ro": "romanian", "ru": "russian", "sa": "sanskrit", "sd": "sindhi", "si": "sinhala",
    "sk": "slovak", "sl": "slovenian", "sn": "shona", "so": "somali", "sq": "albanian",
    "sr": "serbian", "su": "sundanese", "sv": "swedish", "sw": "swahili", "ta": "tamil",
    "te": "telugu", "tg": "tajik", "th": "thai", "tk": "turkmen", "tl": "tagalog",
    "tr": "turkish", "tt": "tatar", "uk": "ukrainian", "ur": "urdu", "uz": "uzbek",
    "vi": "vietnamese", "yi": "yiddish", "yo": "yoruba", "yue": "cantonese", "zh": "chinese",
}  # fmt: skip
"""Whisper's code to the name that Whisper and OpenAI's API use."""

_ALIASES = {
    "burmese": "my", "castilian": "es", "filipino": "tl", "flemish": "nl", "haitian": "ht",
    "iw": "he", "jv": "jw", "letzeburgesch": "lb", "mandarin": "zh",
    "moldavian": "ro", "moldovan": "ro", "nb": "no", "panjabi": "pa", "pushto": "ps",
    "sinhalese": "si", "valencian": "ca",
}  # fmt: skip

_CODES = {code: code for code in NAMES} | {name: code for code, name in NAMES.items()} | _ALIASES

_AUTOMATIC = frozenset({"", "none", "auto"})


def parse_language(text: str) -> str | None:
    """Whisper's code for a code or an English name in any case; None where it is to be detected.

    "None", "auto" and the empty string mean detection. Raises ValueError for any other text.
    """
    wanted = text.strip().lower()
    if wanted in _AUTOMATIC:
        return None
    try:
        return _CODES[wanted]
    except KeyError:
        raise ValueError(
            f"{text!r} is not a language that Whisper knows; give an ISO 639-1 code such as "
            "'en', an English name such as 'french', or 'None' to have it detected"
        ) from None


def language_name(code: str) -> str:
    """The lower-case English name, "unknown" for a code without one."""
    return NAMES.get(code, "unknown")
