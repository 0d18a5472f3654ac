#!/bin/sh
# Converts music on hold to the codecs of phones and providers: from .gsm alone Asterisk would
# transcode it for each caller who waits. Repeats nothing that is up to date. Asterisk knows the songs by
# the .gsm files, which are there when it starts, and takes the best file each time it plays one.
#   music-on-hold.sh SOURCE TARGET CODEC...
set -eu
cd /  # asterisk may not enter every folder
source=$1
target=$2
shift 2

asterisk -rx 'core waitfullybooted' > /dev/null
for file in "$source"/*.gsm; do
    name=$(basename "$file" .gsm)
    for codec in "$@"; do
        made=$target/$name.$codec
        [ ! "$made" -nt "$file" ] || continue
        # Asterisk tells the codec by the end of the name, and its exit status tells nothing.
        new=$target/.new.$codec
        rm -f -- "$new"
        asterisk -rx "file convert $file $new" > /dev/null
        [ -s "$new" ] || { echo "Asterisk can't convert $file to $codec" >&2; exit 1; }
        mv -- "$new" "$made"
    done
done
