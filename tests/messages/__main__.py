"""`make messages`: bring each language's catalogue up to date; 1 while a translation is missing."""

from __future__ import annotations

import sys

from tests.messages.catalogues import compiled, path_of, read, save, untranslated, updated
from ucontact_appliance.language.choice import Language


def main() -> int:
    """Write the catalogues, compile them, and print what a translator has to do."""
    missing = 0
    for language in Language:
        if language is Language.EN:
            continue
        catalogue = updated(read(language))
        save(catalogue, path_of(language))
        path_of(language).with_suffix(".mo").write_bytes(compiled(catalogue))
        left = untranslated(catalogue)
        for text in left:
            print(text)
        print(f"{path_of(language)}: {len(catalogue)} messages, {len(left)} without translation")
        missing += len(left)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
