package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"

	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestSocketsAreListedWithTheirOwners(t *testing.T) {
	leakcheck.Start(t)
	user := ownerOf(entry{pid: os.Getpid()})
	program, err := os.Executable()
	require.NoError(t, err)
	listed := map[string]string{}
	for kind, options := range map[string][]string{
		"stream": {"listen", "-keep"}, "message": {"listen", "-keep", "-message"}, "datagram": {"listen", "-datagram"},
	} {
		for _, name := range []string{newName(t), newNamespaced(), filepath.Join(leakcheck.Dir(t), "a b  c"),
			filepath.Join(leakcheck.Dir(t), "odd\x1b[2J")} {
			p := begin(t, words(options[0], name, options[1:])...)
			awaitListener(t, name)
			listed[name] = fmt.Sprintf(`(?m)^%s +%s +%d +%s +%s$`, kind, regexp.QuoteMeta(user), p.cmd.Process.Pid,
				regexp.QuoteMeta(printable(name)), regexp.QuoteMeta(program))
		}
	}
	out := passes(t, "", "list")
	for _, line := range listed {
		require.Regexp(t, line, out)
	}
	require.Regexp(t, `^KIND +USER +PID +NAME +PROGRAM\n`, out)
	require.NotContains(t, out, "\x1b")
}

func TestFifosThatAreOpenAreListed(t *testing.T) {
	leakcheck.Start(t)
	path := filepath.Join(folder(t), "fifo")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	require.Regexp(t, fmt.Sprintf(`(?m)^fifo +\S+ +%d +%s +`, os.Getpid(), path), passes(t, "", "list"))
}

func TestLinesOfTheSocketTable(t *testing.T) {
	const listens, not = "00010000", "00000000"
	line := func(flags, kind, inode, name string) string {
		return fmt.Sprintf("ffff8880: 00000002 00000000 %s %s 01 %5s%s", flags, kind, inode, name)
	}
	for _, c := range []struct {
		line  string
		kind  string
		name  string
		inode string
	}{
		{line(listens, "0001", "12345", " /run/x"), "stream", "/run/x", "12345"},
		{line(listens, "0005", "12345", " @x"), "message", "@x", "12345"},
		{line(not, "0002", "12345", " @x"), "datagram", "@x", "12345"},
		{line(listens, "0001", "1", " /run/ 1 /x"), "stream", "/run/ 1 /x", "1"},
		{line(listens, "0001", "12345", "  two spaces "), "stream", " two spaces ", "12345"},
		{line(listens, "0001", "12345", ""), "", "", ""},           // no name
		{line(not, "0001", "12345", " /run/x"), "", "", ""},        // the end of a connection
		{line(not, "0005", "12345", " /run/x"), "", "", ""},        // so, too
		{line(listens, "0003", "12345", " /run/x"), "", "", ""},    // no such kind
		{line("garbage!", "0001", "12345", " /run/x"), "", "", ""}, // no number
		{"Num       RefCount Protocol Flags    Type St Inode Path", "", "", ""},
		{"", "", "", ""},
		{"the rest of a name with a line break", "", "", ""},
	} {
		e, inode, ok := parseSocket(c.line)
		require.Equal(t, c.kind != "", ok, c.line)
		if ok {
			require.Equal(t, entry{kind: c.kind, name: c.name}, e)
			require.Equal(t, c.inode, inode)
		}
	}
}
