# Rejects a configuration file that Asterisk would misread or silently skip. Asterisk itself can't
# test a file without loading it, so this checks the grammar (sections, assignments, includes,
# comments) but no option names; options are verified after the reload.
#   awk -f asterisk-syntax.awk FILE
function refuse(why) { printf "%s:%d: %s: %s\n", FILENAME, FNR, why, $0 > "/dev/stderr"; bad = 1 }
function count(text, what) { return gsub(what, "", text) }
{
    line = $0
    if (line ~ /[\r\001-\010]/) refuse("control character")
    gsub(/\\;/, "", line)          # an escaped semicolon is text
    sub(/;.*/, "", line)           # the rest of the line is a comment
    sub(/^[ \t]+/, "", line)
    sub(/[ \t]+$/, "", line)
    if (line == "") next
    if (line ~ /^#/) {
        if (line !~ /^#(try)?include[ \t]+[^ \t]/) refuse("unknown directive")
        next
    }
    if (line ~ /^\[/) {
        if (line !~ /^\[[^][]+\](\([^()]*\))?$/) refuse("broken section header")
        sections++
        next
    }
    if (!sections) refuse("setting before any section")
    else if (line !~ /^[A-Za-z0-9_.:+* -]+=/) refuse("neither a section nor a setting")
    else if (line ~ /^(exten|same)[ \t]*=>/) {
        if (count(line, "[(]") != count(line, "[)]")) refuse("unbalanced parentheses")
        if (count(line, "[$][{]") + count(line, "[$][[]") > count(line, "[]}]"))
            refuse("unbalanced expression")
    }
}
END {
    if (!sections) { printf "%s: no section at all\n", FILENAME > "/dev/stderr"; bad = 1 }
    exit bad
}
