package main

import (
	"crypto/sha256"
	"io"
	"strings"
	"testing"

	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestTwoProcessesTalkOverAChannel(t *testing.T) {
	leakcheck.Start(t)
	for _, options := range [][]string{words("-channel"), words("-channel", "-message")} {
		for _, name := range []string{newName(t), newNamespaced()} {
			listener, client := begin(t, words("listen", name, options)...), begin(t, words("connect", name, soon, options)...)
			client.line("hello")
			listener.expect("hello")
			listener.line("good day")
			client.expect("good day")
			require.NoError(t, client.in.Close())
			listener.line("are you still there?")
			client.expect("are you still there?")
			require.NoError(t, listener.in.Close())
			require.Empty(t, listener.rest()+client.rest())
			listener.ends(0)
			client.ends(0)
		}
	}
}

func TestChannelCarriesAllBytesBothWays(t *testing.T) {
	leakcheck.Start(t)
	var bytes int64 = 256 << 20
	if slower() {
		bytes = 16 << 20
	}
	name := newName(t)
	listener, client := begin(t, "listen", name, "-channel"), begin(t, "connect", name, soon, "-channel")
	type result struct{ sent, got [sha256.Size]byte }
	results := make(chan result)
	for from, to := range map[*process]*process{listener: client, client: listener} {
		sent := make(chan [sha256.Size]byte, 1)
		go func() {
			sent <- pour(from.in, bytes)
			from.in.Close()
		}()
		go func() {
			got := sha256.New()
			_, _ = io.Copy(got, to.out)
			results <- result{<-sent, [sha256.Size]byte(got.Sum(nil))}
		}()
	}
	for range 2 {
		r := <-results
		require.Equal(t, r.sent, r.got)
	}
	listener.ends(0)
	client.ends(0)
}

func TestMessagesOfAChannelAreWhole(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	listener := begin(t, "listen", name, "-channel", "-message", "-binary", "-count=3")
	all := framed("a\nb", "", strings.Repeat("x", 1<<20)) // the last is larger than the memory
	client := begin(t, "connect", name, "-channel", "-message", "-binary", soon)
	go func() {
		_, _ = io.WriteString(client.in, all)
		client.in.Close()
	}()
	require.Equal(t, all, listener.rest())
	listener.ends(0)
	client.ends(0)
	listener = begin(t, "listen", name, "-channel", "-message")
	r := runCommand(t, "short\n"+strings.Repeat("x", 17<<20), "connect", name, "-channel", "-message", soon)
	require.Equal(t, 1, r.code, r.said)
	require.Contains(t, r.said, "message 2, of 17825792 bytes: ")
	listener.expect("short")
}

func TestListenerWithoutChannelsIsNamed(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	begin(t, "listen", name, "-echo") // answers with what is not a channel's
	fails(t, 1, "listens without -channel", "ping", name, "-channel", soon)
	silent := newName(t)
	listenHere(t, silent) // accepts nobody
	fails(t, 5, "the listener is busy, or listens without -channel", "ping", silent, "-channel", "-timeout=50ms")
}

func TestClientWithoutChannelsIsNoneOfAKeptListener(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	p := begin(t, "listen", name, "-channel", "-keep")
	for _, text := range []string{"one", "two"} {
		_ = runCommand(t, strings.Repeat("no channel", 100), "connect", name, soon)
		p.says("protocol")
		require.Empty(t, passes(t, text+"\n", "connect", name, soon, "-channel"))
		p.expect(text)
	}
	if interrupts {
		p.interrupt()
		p.ends(0)
		requireNothingLeft(t, name)
	}
}

func TestDeathOfAChannelsPeerEndsWhatReadsIt(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	listener, client := begin(t, "listen", name, "-channel"), begin(t, "connect", name, soon, "-channel")
	client.line("hello")
	listener.expect("hello")
	client.kill()
	require.NoError(t, listener.in.Close())
	require.Empty(t, listener.rest())
	listener.ends(0)
}
