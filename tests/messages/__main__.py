"""`make messages`: the texts that a language lacks, as lines to fill in; 1 when there are any."""

from __future__ import annotations

import json
import sys

from tests.messages.extract import by_file
from ucontact_appliance.language.choice import Tongue, entries


def main() -> int:
    """Print what lacks, by language and file."""
    lacking = 0
    for tongue in Tongue:
        if tongue is Tongue.EN:
            continue
        known = entries(tongue)
        for name, texts in by_file().items():
            lack = [text for text in texts if text not in known]
            if lack:
                print(f"# data/{tongue.value}/{name}")
            for text in lack:
                print(f"{json.dumps(text, ensure_ascii=False)}: ")
            lacking += len(lack)
    print(f"# {lacking} texts lack", file=sys.stderr)
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
