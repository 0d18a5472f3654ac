"""`make messages`: the texts that a language lacks, as lines to fill in; 1 when there are any."""

from __future__ import annotations

import json
import sys

from tests.messages.extract import SOURCES, templates
from ucontact_appliance.language.choice import Tongue, entries


def main() -> int:
    """Print what lacks, by language and file."""
    lacking = 0
    for tongue in Tongue:
        if tongue is Tongue.EN:
            continue
        known = entries(tongue)
        for source in SOURCES:
            texts = [text for text in templates(source) if text not in known]
            if texts:
                print(f"# data/{tongue.value}/{source.parent.name}-{source.stem}.yml")
            for text in texts:
                print(f"{json.dumps(text, ensure_ascii=False)}: ")
            lacking += len(texts)
    print(f"# {lacking} texts lack", file=sys.stderr)
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
