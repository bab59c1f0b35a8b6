# Converts the headers, which are written for readers, into input for Doxygen:
#
#   /* ==== X ==== */           a page ("group") of that title
#   /* … */ before a blank line: text of that page
#   /* … */ before declarations: the documentation of each of them, up to the next blank line
#   /* … */ in a struct or an enum, before a member or after it: the member's documentation
#   LIPC_ERRORS                 its enumerators, with their texts
function slug(title) {
    title = tolower(title)
    gsub(/[^a-z]+/, "_", title)
    return "lipc_" title
}

# Escapes text, so that Doxygen sees no commands but ours, and no links to names without a page.
function escape(line,    heading) {
    if (line ~ /^ \*     / || line ~ /^     /) # code
        return line
    gsub(/[\\<>]/, "\\\\&", line)
    gsub(/@/, "\\&#64;", line)
    gsub(/"&#64;/, "\"@", line) # between quotes Doxygen takes no commands
    gsub(/'&#64;/, "'@", line)
    line = linked(line)
    if (match(line, /[ .]Errors(, [^:]*)?:( |$)/)) {
        heading = substr(line, RSTART + 1, RLENGTH - 1)
        sub(/ $/, "", heading)
        line = substr(line, 1, RSTART - 1) "\n *\n * **" heading "** " substr(line, RSTART + RLENGTH)
    }
    return line
}

# Turns LIPC_X into #LIPC_X, which Doxygen renders as a link.
function linked(line,    out) {
    out = ""
    while (match(line, /LIPC_[A-Z_]+[A-Z]/)) {
        out = out substr(line, 1, RSTART - 1) "#" substr(line, RSTART, RLENGTH)
        line = substr(line, RSTART + RLENGTH)
    }
    return out line
}

# Prints the comment that was read as documentation, which begins with opening and ends with closing.
function document(opening, closing,    i, line) {
    for (i = 1; i <= lines; i++) {
        line = comment[i]
        if (i == 1) sub(/\/\*/, opening, line)
        if (i == lines && closing != "") sub(/\*\/$/, closing " */", line)
        print line
    }
}

BEGIN { lines = 0; reading = 0; pending = 0; run = 0; depth = 0; first = 1; group = "" }

/^ \* SPDX-License-Identifier/ { next }
{ sub(/^LIPC_API /, "") }
/^#if defined\(_WIN32\) && defined/ { skipping = 1 }
skipping { if (/^#endif/) skipping = 0; next }
/^#(ifndef|define|endif).* LIPC(_UNIX|_WINDOWS|_CHANNEL|_SIGNAL)?_H( \*\/)?$/ { if (!pending) next }
/^#(define|undef) LIPC_ERROR_ENUM/ { next }
/^    X\(LIPC_/ {
    split($0, part, /[(,]/)
    split($0, text, /"/)
    enumerators = enumerators "    " part[2] " =" part[3] ", /**< " text[2] " */\n"
}
/^    LIPC_ERRORS\(LIPC_ERROR_ENUM\)/ { printf "%s", enumerators; next }

/^\/\* =+ .* =+ \*\/$/ {
    title = $0
    gsub(/^\/\* =+ | =+ \*\/$/, "", title)
    group = slug(title)
    if (FILENAME ~ /_unix/) title = title " (Unix)"
    if (FILENAME ~ /_windows/) title = title " (Windows)"
    if (grouped) print "/** @} */"
    printf "/** @defgroup %s %s\n * @{ */\n", group, title
    grouped = 1
    next
}
/^}$/ || (/^#ifdef __cplusplus/ && grouped) { # the end of the header
    if (grouped) print "/** @} */"
    grouped = 0
}

# A comment of its own lines.
reading == 0 && /^ *\/\*/ {
    lines = 0
    reading = 1
}
reading {
    comment[++lines] = escape($0)
    if (/\*\/$/) { reading = 0; pending = 1 }
    next
}

pending && /^$/ { # the comment belongs to no declaration
    if (group != "") { # text cannot be added to a group within it
        print "/** @} */"
        document("/** @addtogroup " group "\n *", "\n * @{")
    }
    first = pending = run = 0
}
/^#ifndef/ && pending { # the header's own
    document(FILENAME ~ /lipc\.h$/ ? "/** @mainpage Conventions\n *" : "/** @file\n *")
    first = pending = run = 0
    next
}
/^$/ { run = 0 }

{
    opens = /^(typedef )?(struct|enum)[^;]*\{$/
    begins = /^(typedef|enum|struct|int|void|const|lipc_|#define)/ && !/^struct [a-z_]+;$/
    if (depth == 0 && begins) {
        if (pending) { run = 1; pending = 0 }
        if (run) document("/**")
        if (/^enum \{ LIPC.*};$/) { # its one enumerator gets the same documentation
            print "enum {"
            document("/**")
            sub(/^enum \{/, "")
        }
    } else if (depth > 0 && pending && /[^ ]/) {
        document("/**")
        pending = 0
    }
    if (opens) depth = 1
    else if (/^}/) depth = 0
    if (depth > 0 && match($0, /[^ ] +\/\* /)) { # behind a member
        lines = 0
        at = index($0, "/*")
        printf "%s/**< %s\n", substr($0, 1, at - 1), escape(substr($0, at + 3))
        if (!/\*\/$/)
            while ((getline line) > 0) {
                sub(/^ +\* /, "", line)
                print "        " escape(line)
                if (line ~ /\*\/$/) break
            }
        lines = 0
        next
    }
    print
}
