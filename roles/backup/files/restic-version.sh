#!/bin/sh
# Prints the version of restic, such as 0.16.4; 0 without one.
restic version 2>/dev/null | sed -n 's/^restic \([0-9.]*\).*/\1/p' | grep . || echo 0
