package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// hasMessages and hasDatagrams: the system has them.
const (
	hasMessages  = runtime.GOOS != "darwin"
	hasDatagrams = runtime.GOOS != "windows"
)

// there reports whether the system has connections of a kind.
func (k kind) there() bool {
	switch {
	case k.channel:
		return true
	case k.message:
		return hasMessages
	default:
		return hasDatagrams || !k.datagram
	}
}

// needsMessages skips a test where the system has none.
func needsMessages(t *testing.T) {
	t.Helper()
	if !hasMessages {
		facility.Missing(t, "SOCK_SEQPACKET")
	}
}

// listenForMessages listens in this process, until the test ends.
func listenForMessages(t *testing.T, name string) *ipc.MessageListener {
	t.Helper()
	l, err := ipc.ListenMessage(parse(t, name))
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

func acceptMessages(t *testing.T, l *ipc.MessageListener) *ipc.MessageConn {
	t.Helper()
	c, err := l.AcceptConn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// framed puts each message behind its length.
func framed(all ...string) string {
	var b []byte
	for _, message := range all {
		b = binary.BigEndian.AppendUint32(b, uint32(len(message)))
		b = append(b, message...)
	}
	return string(b)
}

func TestLinesAreMessages(t *testing.T) {
	leakcheck.Start(t)
	needsMessages(t)
	name := newName(t)
	l := listenForMessages(t, name)
	p := begin(t, "connect", name, "-message")
	c := acceptMessages(t, l)
	_, err := io.WriteString(p.in, "one\n\nthree, after an empty one\nlast, without a line break")
	require.NoError(t, err)
	require.NoError(t, p.in.Close())
	for _, want := range []string{"one", "", "three, after an empty one", "last, without a line break"} {
		b, err := c.ReceiveAppend(nil)
		require.NoError(t, err)
		require.Equal(t, want, string(b))
	}
	_, err = c.ReceiveAppend(nil)
	require.ErrorIs(t, err, io.EOF)
	if halves {
		require.NoError(t, c.Send(nil))
		require.NoError(t, c.Send([]byte("answer")))
	}
	require.NoError(t, c.Close())
	if halves {
		require.Equal(t, "\nanswer\n", p.rest())
	}
	p.ends(0)
}

func TestMessagesHaveTheirLengthsInFront(t *testing.T) {
	leakcheck.Start(t)
	needsMessages(t)
	name := newName(t)
	listener := begin(t, "listen", name, "-message", "-binary")
	require.NoError(t, listener.in.Close())
	all := framed("a\nb", "", strings.Repeat("\x00", 10_000), "last")
	require.Empty(t, passes(t, all, "connect", name, "-message", "-binary", soon))
	require.Equal(t, all, listener.rest())
	listener.ends(0)
}

func TestMalformedInputIsNamed(t *testing.T) {
	leakcheck.Start(t)
	needsMessages(t)
	for input, message := range map[string]string{
		framed("one") + "\x00\x00":              "standard input: it ends within the length of a message",
		framed("one") + "\x00\x00\x00\x0aseven": "standard input: it ends within a message, after 5 of 10 bytes",
		framed("one") + "\xff\xff\xff\xff":      "standard input: a message of 4294967295 bytes: at most 1073741824",
	} {
		name := newName(t)
		listener := begin(t, "listen", name, "-message")
		require.NoError(t, listener.in.Close())
		r := runCommand(t, input, "connect", name, "-message", "-binary", soon)
		require.Equal(t, result{1, "", "lipc: " + message + "\n"}, r)
		require.Equal(t, "one\n", listener.rest())
		listener.ends(0)
	}
}

func TestMessageThatIsTooLongIsNamed(t *testing.T) {
	leakcheck.Start(t)
	if runtime.GOOS == "windows" {
		facility.Missing(t, "a limit of messages other than memory")
	}
	needsMessages(t)
	name := newName(t)
	listener := begin(t, "listen", name, "-message", "-keep")
	r := runCommand(t, "short\n"+strings.Repeat("x", 8<<20)+"\n", "connect", name, "-message", soon)
	require.Equal(t, 1, r.code, r.said)
	require.Contains(t, r.said, "message 2, of 8388608 bytes: ")
	listener.expect("short")
	begin(t, "listen", name+"2", "-message", "-echo")
	fails(t, 1, "1048576 bytes, at most ", "ping", name+"2", "-message", "-size=1048576", soon)
}

func TestCountEndsTheCommand(t *testing.T) {
	leakcheck.Start(t)
	needsMessages(t)
	name := newName(t)
	listener := begin(t, "listen", name, "-message", "-count", "2")
	// Whether it can send all is a matter of time.
	_ = runCommand(t, "one\ntwo\nthree\n", "connect", name, "-message", soon, "-count", "9")
	require.Equal(t, "one\ntwo\n", listener.rest())
	listener.ends(0)
}

func TestManyClientsAreAnsweredAtOnce(t *testing.T) {
	leakcheck.Start(t)
	clients := 60
	if slower() {
		clients = 8
	}
	for _, k := range []kind{{}, {message: true}, {channel: true}, {channel: true, message: true}} {
		if !k.there() {
			continue
		}
		name := newName(t)
		begin(t, words("listen", name, "-echo", kindOptions(k))...)
		all := make([]connection, clients) // all at the same time
		for i := range all {
			var err error
			all[i], err = (&dialer{timeout: patience}).dial(t.Context(), k, parse(t, name))
			require.NoError(t, err)
		}
		var group sync.WaitGroup
		for i, c := range all {
			group.Go(func() {
				defer c.Close()
				sent, got := fmt.Appendf(nil, "client %5d", i), make([]byte, 12)
				for range 20 {
					if err := c.exchange(sent, got); err != nil || string(got) != string(sent) {
						t.Errorf("%d: %q, %v", i, got, err)
					}
				}
			})
		}
		group.Wait()
	}
}

func kindOptions(k kind) []string {
	var options []string
	for option, given := range map[string]bool{"-message": k.message, "-datagram": k.datagram, "-channel": k.channel} {
		if given {
			options = append(options, option)
		}
	}
	return options
}

func TestEchoEndsWithItsClientsWhenInterrupted(t *testing.T) {
	leakcheck.Start(t)
	if !interrupts {
		facility.Missing(t, "a way to interrupt a process that has no console")
	}
	name := newName(t)
	p := begin(t, "listen", name, "-echo")
	c := dial(t, name)
	require.NoError(t, stream{c}.exchange([]byte("x"), make([]byte, 1)))
	p.interrupt()
	p.ends(0)
	_, err := c.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	requireNothingLeft(t, name)
}

func TestLinesAreDatagrams(t *testing.T) {
	leakcheck.Start(t)
	if !hasDatagrams {
		fails(t, 1, "unsupported", "listen", newName(t), "-datagram")
		fails(t, 1, "unsupported", "connect", newName(t), "-datagram")
		return
	}
	name := newName(t)
	listener := begin(t, "listen", name, "-datagram")
	listener.line("to nobody: there is no connection")
	require.Empty(t, passes(t, "one\n\nthree", "connect", name, "-datagram", soon))
	listener.expect("one")
	listener.expect("")
	listener.expect("three")
	require.Empty(t, passes(t, framed("a\nb"), "connect", name, "-datagram", "-binary"))
	listener.expect("a")
	listener.expect("b")
	listener.interrupt()
	listener.ends(0)
}

func TestDatagramsAreAnsweredToTheNameTheyAreFrom(t *testing.T) {
	leakcheck.Start(t)
	if !hasDatagrams {
		facility.Missing(t, "datagram sockets")
	}
	name, from := newName(t), newName(t)
	echo := begin(t, "listen", name, "-datagram", "-echo")
	out := passes(t, "one\ntwo\nthree\n", "connect", name, "-datagram", "-from", from, "-count", "3", soon)
	require.Equal(t, "one\ntwo\nthree\n", out)
	requireNothingLeft(t, from)
	p := begin(t, "connect", name, "-datagram", "-from", from)
	p.line("and on until interrupted")
	p.expect("and on until interrupted")
	p.interrupt()
	p.ends(0)
	requireNothingLeft(t, from)
	echo.interrupt()
	echo.ends(0)
	fails(t, 3, "nobody listens there", "connect", name, "-datagram", "-from", from)
	fails(t, 3, "nobody listens there", "connect", name, "-datagram")
}

func TestLinesOfInputAreReadToTheirEnd(t *testing.T) {
	leakcheck.Start(t)
	for _, pair := range []kind{{message: true}, {datagram: true}, {channel: true, message: true}} {
		if !pair.there() {
			continue
		}
		name := newName(t)
		listener := begin(t, words("listen", name, kindOptions(pair), "-count=2")...)
		require.NoError(t, listener.in.Close())
		long := strings.Repeat("0123456789", 14_000) // more than is read at a time
		if pair.datagram && runtime.GOOS != "linux" {
			long = long[:2000] // net.local.dgram.maxdgram on macOS is 2048
		}
		require.Empty(t, passes(t, long+"\nshort", words("connect", name, kindOptions(pair), soon)...))
		require.Equal(t, long+"\nshort\n", listener.rest())
		listener.ends(0)
	}
}
