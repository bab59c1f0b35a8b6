package main

import (
	"context"
	"flag"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestHelpNamesEveryCommandWithItsArguments(t *testing.T) {
	leakcheck.Start(t)
	help := passes(t, "", "--help")
	for _, c := range commands() {
		require.Contains(t, help, "\n  "+c.usage()+"  ")
		require.Contains(t, help, c.about+"\n")
	}
	for _, way := range []string{"-h", "-help", "help"} {
		require.Equal(t, help, passes(t, "", way))
	}
	requireNarrow(t, help)
}

func TestHelpOfACommandTellsEachOptionAndAnExample(t *testing.T) {
	leakcheck.Start(t)
	for _, c := range commands() {
		help := passes(t, "", c.name, "--help")
		require.True(t, strings.HasPrefix(help, "Usage: lipc "+c.usage()+"\n"), help)
		require.Contains(t, help, "\n  lipc "+c.name, "an example")
		options := flag.NewFlagSet(c.name, flag.ContinueOnError)
		c.define(options)
		options.VisitAll(func(f *flag.Flag) {
			require.Contains(t, help, "\n  -"+f.Name)
			require.NotEmpty(t, f.Usage, f.Name)
		})
		requireNarrow(t, help)
		require.Equal(t, help, passes(t, "", "help", c.name))
		require.Equal(t, help, passes(t, "", c.name, "@x", "-h"), "behind an argument")
	}
}

// requireNarrow wants text to fit a terminal of 120 columns.
func requireNarrow(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(strings.ReplaceAll(text, "\t", "        ")) {
		require.LessOrEqual(t, utf8.RuneCountInString(line), 121, line)
	}
}

func TestWrongCommandLinesAreNamed(t *testing.T) {
	leakcheck.Start(t)
	for _, c := range []struct {
		message string
		line    []string
	}{
		{"what to do?", nil},
		{"no such command: frobnicate", words("frobnicate")},
		{"no such command: frobnicate", words("help", "frobnicate")},
		{"NAME is missing", words("listen")},
		{"NAME is missing", words("connect", "-message")},
		{"NAME is missing", words("serve", "--", "date")},
		{"NAME is missing", words("receive-files", "-dir", ".")},
		{"NAME is missing", words("peer")},
		{"NAME is missing", words("ping")},
		{"which files?", words("send-files", "@x")},
		{"too many arguments: @y", words("listen", "@x", "@y")},
		{"too many arguments: @x", words("list", "@x")},
		{"empty name", words("listen", "@")},
		{"empty name", words("connect", "")},
		{"name too long", words("connect", "@"+strings.Repeat("x", 300))},
		{"name too long", words("send-files", "@"+strings.Repeat("x", 300), "file")},
		{"-frobnicate", words("listen", "@x", "-frobnicate")},
		{"lipc listen --help", words("listen", "@x", "-frobnicate")},
		{"-message and -datagram", words("listen", "@x", "-message", "-datagram")},
		{"-channel is not for -datagram", words("connect", "@x", "-datagram", "-channel")},
		{"-channel", words("serve", "@x", "-channel", "--", "date")},
		{"-binary is for", words("listen", "@x", "-channel", "-binary")},
		{"-count is for", words("listen", "@x", "-channel", "-count=1")},
		{"-binary is for", words("connect", "-binary", "@x")},
		{"-count is for", words("connect", "@x", "-count", "1")},
		{"-count -1 is negative", words("listen", "@x", "-message", "-count=-1")},
		{"there is no user nosuchuser", words("connect", "@x", "-only", "nosuchuser")},
		{"there is no user nosuchuser", words("listen", "@x", "-only", "same,nosuchuser")},
		{"a user is missing", words("serve", "@x", "-only", "admin,", "--", "date")},
		{"-only is not for -datagram", words("listen", "@x", "-datagram", "-only", "same")},
		{"-only is not for -datagram", words("connect", "@x", "-datagram", "-only", "same")},
		{"-only is not for -datagram", words("ping", "@x", "-datagram", "-only", "same")},
		{"name contains", words("listen", "user:a/b")},
		{"name contains", words("location", "system:.a")},
		{"NAME is missing", words("location")},
		{"-from is for -datagram", words("connect", "@x", "-from", "@y")},
		{"-echo goes with none", words("listen", "@x", "-echo", "-keep")},
		{"-datagram goes with neither", words("listen", "@x", "-datagram", "-keep")},
		{"no duration such as 500ms, 10s or 1m", words("connect", "@x", "-timeout=1")},
		{"no duration such as 500ms, 10s or 1m", words("connect", "@x", "-timeout=-1s")},
		{"no permissions such as 0660", words("listen", "@x", "-mode", "0999")},
		{"no permissions such as 0660", words("listen", "@x", "-mode", "0")},
		{"no permissions such as 0660", words("listen", "@x", "-mode", "07777")},
		{"which program?", words("serve", "@x")},
		{"which program?", words("serve", "@x", "--")},
		{"-max 0", words("serve", "@x", "-max", "0", "--", "date")},
		{"Either -dir D or -- CMD", words("receive-files", "@x")},
		{"Either -dir D or -- CMD", words("receive-files", "@x", "-dir", ".", "--", "date")},
		{"-as is for a single file", words("send-files", "@x", "-as", "c", "a", "b")},
		{"-size 0", words("ping", "@x", "-size", "0")},
		{"-count and -patience must", words("ping", "@x", "-count", "0")},
		{"too many arguments: HUP", words("signals", "HUP")},
		{"-count -1 is negative", words("signals", "-count", "-1")},
		{`there is no signal "NOTHING"`, words("signals", "-watch", "INT,NOTHING")},
		{"PID or SIG is missing", words("send-signal", "1")},
		{"too many arguments: 4", words("send-signal", "1", "INT", "3", "4")},
		{"x is no process id", words("send-signal", "x", "INT")},
		{`there is no signal "NOTHING"`, words("send-signal", "1", "NOTHING")},
		{"VALUE 4294967296 is no number", words("send-signal", "1", "INT", "4294967296")},
		{`PID -5 is negative: "-group 5" sends to a group`, words("send-signal", "-5", "HUP")},
		{`PID -5 is negative: "-group 5" sends to a group`, words("send-signal", "--", "-5", "HUP")},
		{"a group gets no VALUE", words("send-signal", "1", "INT", "3", "-group")},
	} {
		fails(t, 2, c.message, c.line...)
	}
}

func TestFailuresAreNamed(t *testing.T) {
	leakcheck.Start(t)
	absent := newName(t)
	file := write(t, folder(t), "file", "")
	for _, c := range []struct {
		code    int
		message string
		line    []string
	}{
		{3, absent, words("connect", absent)},
		{3, "nobody listens there", words("connect", "@"+strings.Repeat("absent", 9))},
		{3, absent, words("connect", absent, "-message")},
		{3, absent, words("send-files", absent, file)},
		{3, absent, words("peer", absent)},
		{3, absent, words("ping", absent)},
		{3, absent, words("connect", absent, "-timeout", "30ms")},
		{1, "no-such-program", words("serve", absent, "--", "no-such-program")},
		{1, "no-such-program", words("receive-files", absent, "--", "no-such-program")},
		{1, "no-such-folder", words("receive-files", absent, "-dir", "no-such-folder")},
		{1, "is no folder", words("receive-files", absent, "-dir", file)},
	} {
		fails(t, c.code, c.message, c.line...)
	}
	requireNothingLeft(t, absent)
}

func TestOptionsMayStandAnywhere(t *testing.T) {
	leakcheck.Start(t)
	for _, c := range []struct {
		line, arguments, program []string
	}{
		{words("-a", "1", "x", "y"), words("x", "y"), nil},
		{words("x", "-a", "1", "y"), words("x", "y"), nil},
		{words("x", "y", "--a=1"), words("x", "y"), nil},
		{words("x", "-a=1", "--", "-y", "--", "z"), words("x"), words("-y", "--", "z")},
		{words("-a=1", "-"), words("-"), nil},
	} {
		for _, takesProgram := range []bool{false, true} {
			ran := false
			command := command{program: takesProgram, define: func(options *flag.FlagSet) run {
				a := options.Int("a", 0, "")
				return func(_ context.Context, arguments, program []string) error {
					ran = true
					want, wantProgram := c.arguments, c.program
					if !takesProgram {
						want, wantProgram = append(want, c.program...), nil
					}
					require.Equal(t, want, arguments)
					require.Equal(t, wantProgram, program)
					require.Equal(t, 1, *a)
					return nil
				}
			}}
			require.NoError(t, command.start(t.Context(), c.line))
			require.True(t, ran)
		}
	}
}

func TestClosedOutputOfHelpIsNoFault(t *testing.T) {
	leakcheck.Start(t)
	p := begin(t, "--help")
	p.output.Close()
	if code := p.code(); code != 0 { // it may have been written before
		require.Equal(t, 141, code)
	}
	require.Empty(t, p.said.String())
}

func TestFullOutputIsNamed(t *testing.T) {
	leakcheck.Start(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		facility.Missing(t, "/dev/full")
	}
	defer full.Close()
	name := newName(t)
	p := beginWith(t, withOutput(full), "connect", name, soon)
	c := accept(t, listenHere(t, name))
	_, err = io.WriteString(c, "text")
	require.NoError(t, err)
	p.ends(1)
	require.Contains(t, p.said.String(), "standard output")
}
