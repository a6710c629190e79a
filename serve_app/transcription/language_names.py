"""The languages Whisper knows, by code, by tag and by English name."""

import langcodes
from langcodes.tag_parser import LanguageTagError

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

_OTHER_NAMES = {
    "burmese": "my", "castilian": "es", "filipino": "tl", "flemish": "nl", "haitian": "ht",
    "letzeburgesch": "lb", "mandarin": "zh", "moldavian": "ro", "moldovan": "ro",
    "panjabi": "pa", "pushto": "ps", "sinhalese": "si", "valencian": "ca",
}  # fmt: skip

_WHISPERS = {"fil": "tl", "jv": "jw", "nb": "no"}
"""The codes of today's standards for which Whisper has others."""

_CODES = {code: code for code in NAMES} | {name: code for code, name in NAMES.items()}
_CODES |= _OTHER_NAMES | _WHISPERS

_AUTOMATIC = frozenset({"", "none", "auto"})


def parse_language(text: str) -> str | None:
    """Whisper's code for what people write for a language; None where it is to be detected.

    That is a code or an English name in any case, or a tag whose script and region do not
    matter here (`pt_BR`, `zh-Hant-TW`), by BCP 47 with the codes of ISO 639-1, -2 and -3. "None",
    "auto" and the empty string mean detection. Raises ValueError for any other text.
    """
    wanted = text.strip().lower()
    if wanted in _AUTOMATIC:
        return None
    for name in (wanted, *_base_codes(wanted)):
        if name in _CODES:
            return _CODES[name]
    raise ValueError(
        f"{text!r} is not a language that Whisper knows; give a code such as 'en' or 'pt-BR', an "
        "English name such as 'french', or 'None' to have it detected"
    )


def _base_codes(tag: str) -> tuple[str, ...]:
    """The language of a tag, and that which it belongs to (`arb` to `ar`); none of no tag."""
    try:
        own = langcodes.Language.get(tag).language
        whole = langcodes.standardize_tag(tag, macro=True)
    except LanguageTagError:
        return ()
    return (own or "", whole.partition("-")[0])


def language_name(code: str) -> str:
    """The lower-case English name, "unknown" for a code without one."""
    return NAMES.get(code, "unknown")
