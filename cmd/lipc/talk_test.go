package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// halves: the system has half-closes.
const halves = runtime.GOOS != "windows"

func TestTwoProcessesTalk(t *testing.T) {
	leakcheck.Start(t)
	for _, name := range []string{newName(t), newNamespaced()} {
		listener, client := begin(t, "listen", name), begin(t, "connect", name, soon)
		client.line("hello")
		listener.expect("hello")
		listener.line("good day")
		client.expect("good day")
		require.NoError(t, client.in.Close())
		if halves { // on Windows the connection is closed now
			listener.line("are you still there?")
			client.expect("are you still there?")
		}
		require.NoError(t, listener.in.Close())
		require.Empty(t, listener.rest()+client.rest())
		listener.ends(0)
		client.ends(0)
	}
}

func TestPeerReadsTheEndOfInputAndMayGoOn(t *testing.T) {
	leakcheck.Start(t)
	if !halves {
		facility.Missing(t, "half-closes, shutdown(2)")
	}
	eachSide(t, func(t *testing.T, p *process, c *ipc.Conn) {
		p.line("all")
		require.NoError(t, p.in.Close())
		b, err := io.ReadAll(c)
		require.NoError(t, err)
		require.Equal(t, "all\n", string(b))
		_, err = io.WriteString(c, "the answer\n")
		require.NoError(t, err)
		p.expect("the answer")
		require.NoError(t, c.Close())
		p.ends(0)
	})
}

// eachSide runs a test with a process that listens, and with one that connects, joined to a connection here.
func eachSide(t *testing.T, test func(t *testing.T, p *process, c *ipc.Conn), options ...string) {
	t.Helper()
	t.Run("listen", func(t *testing.T) {
		name := newName(t)
		p := begin(t, append([]string{"listen", name}, options...)...)
		test(t, p, dial(t, name))
		requireNothingLeft(t, name)
	})
	t.Run("connect", func(t *testing.T) {
		name := newName(t)
		p := begin(t, append([]string{"connect", name, soon}, options...)...)
		test(t, p, accept(t, listenHere(t, name)))
	})
}

func TestHeldPeerDoesNotReadTheEndOfInput(t *testing.T) {
	leakcheck.Start(t)
	eachSide(t, func(t *testing.T, p *process, c *ipc.Conn) {
		p.line("all")
		require.NoError(t, p.in.Close())
		b := make([]byte, 4)
		_, err := io.ReadFull(c, b)
		require.NoError(t, err)
		require.NoError(t, c.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
		_, err = c.Read(b)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		_, err = io.WriteString(c, "the answer\n")
		require.NoError(t, err)
		p.expect("the answer")
		require.NoError(t, c.Close())
		p.ends(0)
	}, "-hold")
}

func TestNothingIsLostWhereStandardInputIsEmpty(t *testing.T) {
	leakcheck.Start(t)
	eachSide(t, func(t *testing.T, p *process, c *ipc.Conn) {
		require.NoError(t, p.in.Close())
		const size = 8 << 20
		sum := make(chan [sha256.Size]byte, 1)
		go func() {
			sum <- pour(c, size)
			c.Close()
		}()
		got := sha256.New()
		n, err := io.Copy(got, p.out)
		require.NoError(t, err)
		require.EqualValues(t, size, n)
		want := <-sum
		require.Equal(t, want[:], got.Sum(nil))
		p.ends(0)
	})
}

// pour writes so many bytes, of which no two pieces are alike, and returns their checksum.
func pour(w io.Writer, size int64) (sum [sha256.Size]byte) {
	hash := sha256.New()
	piece := make([]byte, 64<<10)
	for i := range piece {
		piece[i] = byte(i * i >> 7)
	}
	for number := uint64(0); size > 0; number++ {
		binary.LittleEndian.PutUint64(piece, number)
		b := piece[:min(size, int64(len(piece)))]
		hash.Write(b)
		if _, err := w.Write(b); err != nil {
			return sum
		}
		size -= int64(len(b))
	}
	return [sha256.Size]byte(hash.Sum(nil))
}

func TestGigabyteArrives(t *testing.T) {
	leakcheck.Start(t)
	var bytes int64 = 1 << 30
	if slower() {
		bytes = 64 << 20
	}
	name := newName(t)
	listener, client := begin(t, "listen", name), begin(t, "connect", name, soon)
	require.NoError(t, listener.in.Close())
	sum := make(chan [sha256.Size]byte, 1)
	go func() {
		sum <- pour(client.in, bytes)
		client.in.Close()
	}()
	got := sha256.New()
	n, err := io.CopyBuffer(got, struct{ io.Reader }{listener.output}, make([]byte, 128<<10))
	require.NoError(t, err)
	require.Equal(t, bytes, n)
	want := <-sum
	require.Equal(t, want[:], got.Sum(nil))
	listener.ends(0)
	client.ends(0)
}

// needsGone skips a test of what depends on gone where gone does not know.
func needsGone(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" && runtime.GOOS != "freebsd" && runtime.GOOS != "windows" {
		facility.Missing(t, "poll(2) that distinguishes a peer that is gone from one that has shut down its writing half")
	}
}

func TestEndOfThePeerEndsWhoIsIdle(t *testing.T) {
	leakcheck.Start(t)
	needsGone(t)
	eachSide(t, func(t *testing.T, p *process, c *ipc.Conn) {
		_, err := io.WriteString(c, "hello\n")
		require.NoError(t, err)
		p.expect("hello")
		require.NoError(t, c.Close())
		p.ends(0) // its standard input is still open
	})
}

func TestDeathOfThePeerEndsWhoIsIdle(t *testing.T) {
	leakcheck.Start(t)
	needsGone(t)
	name := newName(t)
	listener, client := begin(t, "listen", name), begin(t, "connect", name, soon)
	client.line("hello")
	listener.expect("hello")
	client.kill()
	listener.ends(0)
}

func TestInputThatThePeerDoesNotTakeIsToldOf(t *testing.T) {
	leakcheck.Start(t)
	eachSide(t, func(t *testing.T, p *process, c *ipc.Conn) {
		go pour(p.in, 64<<20)
		_, err := io.ReadFull(c, make([]byte, 100))
		require.NoError(t, err)
		require.NoError(t, c.Close())
		p.ends(1)
		require.Contains(t, p.said.String(), "not all of standard input was sent")
		p.in.Close()
	})
}

func TestClosedOutputEndsTheCommand(t *testing.T) {
	leakcheck.Start(t)
	eachSide(t, func(t *testing.T, p *process, c *ipc.Conn) {
		_, err := c.Write([]byte{'x'})
		require.NoError(t, err)
		_, err = p.output.Read(make([]byte, 1))
		require.NoError(t, err)
		require.NoError(t, p.output.Close())
		for err == nil {
			_, err = c.Write(make([]byte, 1000))
		}
		p.ends(141)
		require.Empty(t, p.said.String())
	})
}

func TestKeepTakesOneConnectionAfterAnother(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	p := begin(t, "listen", name, "-keep")
	for _, text := range []string{"one", "two", "three"} {
		require.Empty(t, passes(t, text+"\n", "connect", name, soon))
		p.expect(text)
	}
	p.line("to nobody")
	if interrupts {
		p.interrupt()
		p.ends(0)
		requireNothingLeft(t, name)
	}
}

func TestTimeoutWaitsForAListener(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	p := begin(t, "connect", name, "-timeout", "60s")
	l := listenHere(t, name)
	require.NoError(t, p.in.Close())
	require.NoError(t, accept(t, l).Close())
	p.ends(0)
}

func TestTimeoutOfABusyListenerIsTold(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	config := ipc.ListenConfig{Backlog: 1}
	l, err := config.Listen(t.Context(), parse(t, name))
	require.NoError(t, err)
	defer l.Close()
	for {
		d := ipc.Dialer{Timeout: 20 * time.Millisecond}
		c, err := d.Dial(t.Context(), parse(t, name))
		if errors.Is(err, context.DeadlineExceeded) {
			break
		}
		require.NoError(t, err)
		defer c.Close()
	}
	fails(t, 5, "busy", "connect", name, "-timeout", "30ms")
	fails(t, 5, "busy", "send-files", name, "-timeout", "30ms", os.Args[0])
}

func TestNameInUseIsTold(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	listenHere(t, name)
	fails(t, 4, "a living server has the name", "listen", name)
	fails(t, 4, "a living server has the name", words("serve", name, "--", self(t, "program:copy"))...)
	fails(t, 4, "a living server has the name", "receive-files", name, "-dir", folder(t))
}

func TestNameOfAKilledListenerIsTakenOver(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	first := begin(t, "listen", name, "-keep")
	require.Empty(t, passes(t, "to the first\n", "connect", name, soon))
	first.expect("to the first")
	first.kill()
	second := begin(t, "listen", name)
	require.NoError(t, second.in.Close())
	require.Empty(t, passes(t, "to the second\n", "connect", name, soon))
	require.Equal(t, "to the second\n", second.rest())
	second.ends(0)
	requireNothingLeft(t, name)
}

func TestLinesNeedNoEnd(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	p := begin(t, "listen", name)
	require.NoError(t, p.in.Close())
	require.Empty(t, passes(t, "without a line break", "connect", name, soon))
	require.Equal(t, "without a line break", p.rest())
	p.ends(0)
	require.False(t, strings.Contains(p.said.String(), "lipc:"))
}
