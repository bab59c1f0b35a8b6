package tests

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// collect runs the garbage collector until a state is reached.
func collect(t *testing.T, reached func() bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		runtime.GC()
		return reached()
	}, patience, tick)
}

// random returns size bytes, the same ones each time.
func random(size int) []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

func TestLargeWritesArriveWholeAtASlowReader(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	sent := random(5 << 20)
	go func() {
		a.Write(sent)
		a.Close()
	}()
	var got bytes.Buffer
	_, err := io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{b}, make([]byte, 777))
	require.NoError(t, err)
	require.True(t, bytes.Equal(sent, got.Bytes()))
}

func TestVectoredWritesAndReadsKeepTheOrder(t *testing.T) {
	leakcheck.Start(t)
	for _, c := range []struct{ count, size int }{{1, 10}, {3, 0}, {64, 100}, {65, 1}, {1500, 3000}} {
		a, b := pair(t)
		buffers := make([][]byte, c.count)
		for i := range buffers {
			buffers[i] = bytes.Repeat([]byte{byte(i)}, c.size)
			if i%5 == 4 {
				buffers[i] = nil // empty ones are passed over
			}
		}
		sent := bytes.Join(buffers, nil)
		go func() {
			n, err := a.WriteBuffers(buffers)
			if n != len(sent) || err != nil {
				t.Errorf("WriteBuffers: %d, %v; wanted %d", n, err, len(sent))
			}
			a.Close()
		}()
		var got []byte
		for {
			parts := [][]byte{make([]byte, 100), nil, make([]byte, 7), make([]byte, 4000)}
			n, err := b.ReadBuffers(parts)
			got = append(got, bytes.Join(parts, nil)[:n]...)
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
		}
		require.True(t, bytes.Equal(sent, got), "%d buffers of %d bytes: got %d bytes of %d", c.count, c.size, len(got),
			len(sent))
	}
}

func TestWriteBuffersLeavesItsArgumentAlone(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	fill(t, a)
	buffers := [][]byte{random(100_000), random(300_000)}
	sizes := []int{len(buffers[0]), len(buffers[1])}
	go io.Copy(io.Discard, b)
	_, err := a.WriteBuffers(buffers)
	require.NoError(t, err)
	require.Equal(t, sizes, []int{len(buffers[0]), len(buffers[1])})
	require.NoError(t, a.Close())
}

func TestEmptyReadsAndWritesDoNothing(t *testing.T) {
	leakcheck.Start(t)
	a, _ := pair(t)
	for _, buffers := range [][][]byte{nil, {}, {nil}, {{}, {}}} {
		n, err := a.ReadBuffers(buffers)
		require.NoError(t, err)
		require.Zero(t, n)
		n, err = a.WriteBuffers(buffers)
		require.NoError(t, err)
		require.Zero(t, n)
	}
	n, err := a.Read(nil)
	require.NoError(t, err)
	require.Zero(t, n)
	n, err = a.Write(nil)
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestPeerThatIsGoneIsEOFOnReadAndEPIPEOnWrite(t *testing.T) {
	leakcheck.Start(t)
	for _, unread := range []bool{false, true} {
		a, b := pair(t)
		_, err := b.Write([]byte("before it went"))
		require.NoError(t, err)
		if unread { // on Linux data that the peer never reads would be ECONNRESET
			_, err := a.Write([]byte("never read"))
			require.NoError(t, err)
		}
		require.NoError(t, b.Close())
		_, err = a.Write([]byte("x"))
		require.ErrorIs(t, err, syscall.EPIPE, "unread %v", unread)
		require.ErrorContains(t, err, "write ipc")
		got, err := io.ReadAll(a)
		require.NoError(t, err, "unread %v", unread)
		require.Equal(t, "before it went", string(got))
		_, err = a.Read(make([]byte, 1))
		require.True(t, err == io.EOF, "EOF comes bare")
	}
}

func TestDataWrittenJustBeforeCloseArrivesWholeAtASlowReader(t *testing.T) {
	leakcheck.Start(t)
	for _, name := range []ipc.Name{newPath(t), newNamespaced(t)} {
		l := listen(t, name)
		reader := start(t, "slow reader", name.String())
		c, err := l.AcceptConn(t.Context())
		require.NoError(t, err)
		reader.expect("connected")
		sent := random(60_000)
		_, err = c.Write(sent)
		require.NoError(t, err)
		require.NoError(t, c.Close())
		require.NoError(t, l.Close())
		reader.order("read") // only now: Close did not wait for it
		reader.expect(fmt.Sprintf("%d %x", len(sent), sha256.Sum256(sent)))
	}
}

func TestCloseIsSafeAtAnyTime(t *testing.T) {
	leakcheck.Start(t)
	for range 300 {
		a, b, err := ipc.Pair()
		require.NoError(t, err)
		name := newPath(t)
		l, err := ipc.Listen(name)
		require.NoError(t, err)
		var duplicate *os.File
		var group sync.WaitGroup
		for _, work := range []func() error{
			func() error { _, err := a.Read(make([]byte, 10)); return err },
			func() error { _, err := a.Write(make([]byte, 1<<20)); return err },
			func() (err error) { duplicate, err = a.File(); return err },
			func() error { _, err := a.PeerCredentials(); return err },
			func() error { return a.SetDeadline(time.Now().Add(time.Hour)) },
			func() error { return a.SetWriteDeadline(time.Now().Add(time.Hour)) },
			func() error { _, err := l.AcceptConn(context.Background()); return err },
			func() error { l.SetUnlinkOnClose(true); return nil },
			a.Close, b.Close, l.Close,
		} {
			group.Go(func() {
				err := work()
				if err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, syscall.EPIPE) && err != io.EOF {
					t.Errorf("%v", err)
				}
			})
		}
		group.Wait()
		requireNameGone(t, name)
		if duplicate != nil { // only now: on Windows that cancels a Write
			require.NoError(t, duplicate.Close())
		}
	}
}

func TestReadAndWriteAllocateNothing(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	small, large := make([]byte, 64), make([]byte, 64<<10)
	vector := [][]byte{make([]byte, 32), make([]byte, 32)}
	requireNoAllocations(t, map[string]func() error{
		"round trip": func() error {
			_, err := a.Write(small)
			if err == nil {
				_, err = io.ReadFull(b, small)
			}
			return err
		},
		"large": func() error {
			_, err := a.Write(large)
			if err == nil {
				_, err = io.ReadFull(b, large)
			}
			return err
		},
		"vectored": func() error {
			_, err := a.WriteBuffers(vector)
			if err == nil {
				_, err = b.ReadBuffers(vector)
			}
			return err
		},
	})
}

func TestWriteThatMeetsADeadlineSaysHowMuchWasWritten(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	sent := random(8 << 20)
	require.NoError(t, a.SetWriteDeadline(time.Now().Add(20*time.Millisecond)))
	n, err := a.Write(sent)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, a.Close())
	got, err := io.ReadAll(b)
	require.NoError(t, err)
	require.True(t, bytes.Equal(sent[:n], got), "said %d bytes, %d arrived", n, len(got))
}

func TestSimultaneousWritesAreNotMixed(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	const writers, size = 8, 500_000
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			if _, err := a.Write(bytes.Repeat([]byte{byte(i)}, size)); err != nil {
				t.Errorf("%v", err)
			}
		})
	}
	seen := map[byte]bool{}
	block := make([]byte, size)
	for range writers {
		_, err := io.ReadFull(b, block)
		require.NoError(t, err)
		require.Equal(t, size, bytes.Count(block, block[:1]))
		seen[block[0]] = true
	}
	group.Wait()
	require.Len(t, seen, writers)
}

func TestForgottenConnectionIsClosed(t *testing.T) {
	leakcheck.Start(t)
	_, err := func() (int, error) {
		a, b, err := ipc.Pair()
		require.NoError(t, err)
		defer a.Close()
		return fmt.Fprint(b, "x")
	}()
	require.NoError(t, err)
	collect(t, func() bool { return true }) // the leak check waits for the descriptor to go
}
