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
	about: "list the local sockets and pipes of this machine, and whose they are",
	details: `
Lists the names that can be connected to, or sent to, with the user and the process that they belong to:

  Linux     sockets that listen, datagram sockets that are bound, and FIFOs that are open, in this network namespace. Of
            processes of other users only root sees more than the name and the socket file's owner.
  Windows   named pipes. To learn whose they are takes connecting to each, so that is done with -owners alone.

macOS and the BSDs have programs of their own for it: lsof -U, sockstat -ul, fstat, netstat -f unix.

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

// An entry is a name, and whose it is.
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

// printable is a text of others' on one line of a terminal: as it is, or quoted where it could be taken for something
// else.
func printable(text string) string {
	if strings.ContainsFunc(text, odd) || !utf8.ValidString(text) || strings.HasPrefix(text, `"`) {
		return strconv.Quote(text)
	}
	return text
}

// odd reports whether a character is not simply seen: control characters, and those that change the direction of text.
func odd(r rune) bool { return !strconv.IsPrint(r) }
