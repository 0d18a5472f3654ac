# Owner, mode and hash of each file named on stdin below $CERTIFICATES. Reads only.
cd "$CERTIFICATES" 2>/dev/null || exit 0
while IFS= read -r file; do
  [ -f "$file" ] || continue
  echo "$file $(stat -c '%U:%G %a' "$file") $(sha256sum <"$file" | cut -d' ' -f1)"
done
