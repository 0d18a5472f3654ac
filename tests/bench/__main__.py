"""`make bench`: what the appliance costs, as ratios taken in one run.

First installing and the other commands (`tests/bench/installing.py`, which writes docs/bench.md),
then what calls cost, predicted and measured (`tests/bench/capacity.py`), and what encryption does
(`tests/bench/srtp.py`).
"""

from tests.bench import capacity, installing, srtp

if __name__ == "__main__":
    installing.main()
    capacity.main()
    srtp.main()
