package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestPeerTellsWhoListens(t *testing.T) {
	leakcheck.Start(t)
	program, err := os.Executable()
	require.NoError(t, err)
	for _, k := range []kind{{}, {message: true}, {channel: true}} {
		if !k.there() {
			continue
		}
		for _, name := range []string{newName(t), newNamespaced()} {
			listener := begin(t, words("listen", name, "-echo", kindOptions(k))...)
			out := passes(t, "", "peer", name, soon)
			what := map[bool]string{false: "bytes", true: "messages"}[k.message]
			require.Regexp(t, fmt.Sprintf(`(?m)^listens for: %s$`, what), out)
			require.Regexp(t, fmt.Sprintf(`(?m)^process:     %d$`, listener.cmd.Process.Pid), out)
			require.Regexp(t, fmt.Sprintf(`(?mi)^executable:  %s$`, regexp.QuoteMeta(program)), out)
			require.Regexp(t, `(?m)^user:        \S`, out)
		}
	}
}

func TestPeerOfADatagramSocketIsToldNotToBe(t *testing.T) {
	leakcheck.Start(t)
	if !hasDatagrams {
		facility.Missing(t, "datagram sockets")
	}
	for _, name := range []string{newName(t), newNamespaced()} {
		begin(t, "listen", name, "-datagram")
		fails(t, 1, "is a datagram socket, which connects to nobody", "peer", name, soon)
	}
}

func TestPingTellsPercentiles(t *testing.T) {
	leakcheck.Start(t)
	for _, c := range []struct {
		kind
		size int
	}{
		{kind{}, 1}, {kind{}, 64}, {kind{}, 1 << 20},
		{kind{message: true}, 1}, {kind{message: true}, 64 << 10},
		{kind{datagram: true}, 1}, {kind{datagram: true}, 64 << 10},
		{kind{channel: true}, 1}, {kind{channel: true}, 1 << 20},
		{kind{channel: true, message: true}, 64}, {kind{channel: true, message: true}, 1 << 20},
	} {
		if !c.there() || c.datagram && c.size > 2000 && runtime.GOOS != "linux" {
			continue
		}
		name := newName(t)
		begin(t, words("listen", name, "-echo", kindOptions(c.kind))...)
		size := fmt.Sprintf("-size=%d", c.size)
		out := passes(t, "", words("ping", name, soon, "-count=20", size, kindOptions(c.kind))...)
		us := `\d+\.\d µs`
		require.Regexp(t, fmt.Sprintf(`^%s: 20 round trips of %d bytes\nminimum %s, median %s, 90 %% %s, 99 %% %s, `+
			`99.9 %% %s, maximum %s\n$`, regexp.QuoteMeta(name), c.size, us, us, us, us, us, us), out)
	}
}

func TestPingTellsOfWhoIsNoEchoServer(t *testing.T) {
	leakcheck.Start(t)
	for _, c := range []struct {
		message string
		serve   func(c io.ReadWriteCloser)
	}{
		{"something else came back", func(c io.ReadWriteCloser) {
			b := make([]byte, 64)
			for {
				if _, err := io.ReadFull(c, b); err != nil {
					return
				}
				_, _ = c.Write(make([]byte, 64))
			}
		}},
		{"the peer ended the connection", func(c io.ReadWriteCloser) {
			_, _ = io.ReadFull(c, make([]byte, 64))
			c.Close()
		}},
		{"no answer within 30ms", func(c io.ReadWriteCloser) { _, _ = io.Copy(io.Discard, c) }},
	} {
		name := newName(t)
		l := listenHere(t, name)
		served := make(chan struct{})
		go func() {
			defer close(served)
			if conn, err := l.AcceptConn(t.Context()); err == nil {
				defer conn.Close()
				c.serve(conn)
			}
		}()
		patience := "-patience=60s"
		if strings.Contains(c.message, "30ms") {
			patience = "-patience=30ms"
		}
		fails(t, 1, c.message, "ping", name, patience)
		<-served
	}
}

func TestInterruptedPingTellsOfWhatThereWas(t *testing.T) {
	leakcheck.Start(t)
	if !interrupts {
		facility.Missing(t, "a way to interrupt a process that has no console")
	}
	name := newName(t)
	p := begin(t, "ping", name, soon, "-interval", "1ms")
	c := accept(t, listenHere(t, name))
	piece := make([]byte, 64)
	for range 10 {
		_, err := io.ReadFull(c, piece)
		require.NoError(t, err)
		_, err = c.Write(piece)
		require.NoError(t, err)
	}
	_, err := io.ReadFull(c, piece)
	require.NoError(t, err)
	p.interrupt()
	require.Regexp(t, `^\S+: 10 round trips of 64 bytes\nminimum `, p.rest())
	p.ends(130)
	require.Empty(t, p.said.String())
}

func TestTextOfOthersIsPrintedOnOneLine(t *testing.T) {
	for text, want := range map[string]string{
		`\\.\pipe\x`: `\\.\pipe\x`, "/tmp/a b": "/tmp/a b", "@Grüße": "@Grüße", `say "x"`: `say "x"`,
		"a\nb": `"a\nb"`, "\x1b[2J": `"\x1b[2J"`, "a\tb": `"a\tb"`, "\xff": `"\xff"`,
		"a\u202eb": `"a\u202eb"`, `"a"`: `"\"a\""`,
	} {
		require.Equal(t, want, printable(text))
	}
}

func TestSizesAreReadable(t *testing.T) {
	for bytes, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1<<20 - 1: "1.0 MiB", 1536 << 10: "1.5 MiB", 1<<63 - 1: "8.0 EiB",
	} {
		require.Equal(t, want, size(bytes))
	}
}
