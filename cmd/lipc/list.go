package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

var listCommand = command{
	name: "list", arguments: "",
	about: "list the local sockets and pipes of this machine, and their owners",
	details: `
Lists the names that a program can connect to or send to, with their user and process:

  Linux     sockets that listen, bound datagram sockets, and open FIFOs, in this network namespace. For processes of
            other users it shows only the name and the socket file's owner, unless root runs it.
  Windows   named pipes. Their owners are shown only with -owners, because that takes connecting to each pipe.

macOS and the BSDs have other programs for this: lsof -U, sockstat -ul, fstat, netstat -f unix.

  lipc list | grep docker`,
	define: func(options *flag.FlagSet) run {
		var l listOptions
		l.define(options)
		return func(_ context.Context, arguments, _ []string) error {
			if len(arguments) > 0 {
				return usageError{fmt.Sprintf("too many arguments: %s", arguments[0])}
			}
			return l.run()
		}
	},
}

// An entry is a name and its owner.
type entry struct {
	kind string
	name string
	user string // "" if not known
	pid  int    // 0 if not known
}

func (l *listOptions) run() error {
	entries, err := l.entries()
	if err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.kind, b.kind), cmp.Compare(a.pid, b.pid))
	})
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "KIND\tUSER\tPID\tNAME\tPROGRAM\n")
	for _, e := range entries {
		pid, program := "-", "-"
		if e.pid > 0 {
			pid = strconv.Itoa(e.pid)
			if path, err := executable(e.pid); err == nil {
				program = printable(path)
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", e.kind, cmp.Or(e.user, "-"), pid, printable(e.name), program)
	}
	return outputError(table.Flush())
}

// printable returns a text of another process in a form that is safe to print on a line of a terminal. It is quoted if
// it could be taken for something else.
func printable(text string) string {
	if strings.ContainsFunc(text, odd) || !utf8.ValidString(text) || strings.HasPrefix(text, `"`) {
		return strconv.Quote(text)
	}
	return text
}

// odd reports whether a character is not printable, such as control characters and those that change the direction of
// text.
func odd(r rune) bool { return !strconv.IsPrint(r) }
