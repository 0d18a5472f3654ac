# Prints owner and mode of the folders, and owner, mode and hash of each file of "$@" below
# $CERTIFICATES. Reads only.
cd "$CERTIFICATES" 2>/dev/null || exit 0
stat -c "%n %U:%G %a" . private 2>/dev/null
for file; do
  [ -f "$file" ] || continue
  echo "$file $(stat -c '%U:%G %a' "$file") $(sha256sum <"$file" | cut -d' ' -f1)"
done
