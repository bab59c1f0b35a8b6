//go:build unix

package tests

import (
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestSyscallConnOfSpinningConnectionWaits(t *testing.T) {
	leakcheck.Start(t)
	a, b := spinningPair(t)
	raw, err := a.SyscallConn()
	require.NoError(t, err)
	buffer := make([]byte, 10)
	receive := func() (n int, err error) {
		rawErr := raw.Read(func(fd uintptr) bool {
			n, err = syscall.Read(int(fd), buffer)
			return err != syscall.EAGAIN
		})
		if rawErr != nil {
			return 0, rawErr
		}
		return n, err
	}
	for i := range 100 {
		got := make(chan int)
		go func() {
			n, err := receive()
			if err != nil {
				n = -1
			}
			got <- n
		}()
		if i%10 == 0 {
			time.Sleep(time.Millisecond)
		}
		_, err := b.Write([]byte("data"))
		require.NoError(t, err)
		require.Equal(t, 4, <-got)
	}
	fill(t, a)
	written := make(chan error)
	go func() {
		var err error
		rawErr := raw.Write(func(fd uintptr) bool {
			_, err = syscall.Write(int(fd), []byte("x"))
			return err != syscall.EAGAIN
		})
		written <- errors.Join(rawErr, err)
	}()
	// The data ends with the "x", which may arrive before the goroutine that wrote it goes on.
	buf := make([]byte, 1<<20)
	for last := byte(0); last != 'x'; {
		n, err := b.Read(buf)
		require.NoError(t, err)
		last = buf[n-1]
	}
	require.NoError(t, <-written)
	require.NoError(t, a.SetReadDeadline(time.Now().Add(-time.Second)))
	_, err = receive()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, a.Close())
	_, err = receive()
	require.ErrorIs(t, err, net.ErrClosed)
}

// A connection that finds no descriptor free for polling waits as any other does.
func TestSpinningConnectionDoesWithOneDescriptor(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l := listen(t, name)
	spare, err := os.Open(os.DevNull)
	require.NoError(t, err)
	limit := useUpDescriptors(t)
	spare.Close()
	c, err := (&ipc.Dialer{Spin: time.Millisecond}).Dial(t.Context(), name)
	release(limit)
	require.NoError(t, err)
	defer c.Close()
	s := accept(t, l)
	ended := make(chan error)
	go func() { ended <- second(c.Read(make([]byte, 1))) }()
	require.NoError(t, second(s.Write([]byte("x"))))
	require.NoError(t, <-ended)
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Millisecond)))
	require.ErrorIs(t, second(c.Read(make([]byte, 1))), os.ErrDeadlineExceeded)
}

// nowAndThen sleeps before some calls, and reads less than it could, so that its peer has to wait.
type nowAndThen struct {
	io.ReadWriter
	random *rand.Rand
}

func (n nowAndThen) pause() {
	if n.random.IntN(16) == 0 {
		time.Sleep(time.Duration(n.random.IntN(100)) * time.Microsecond)
	}
}

func (n nowAndThen) Read(b []byte) (int, error) {
	n.pause()
	return n.ReadWriter.Read(b[:1+n.random.IntN(len(b))])
}

func (n nowAndThen) Write(b []byte) (int, error) {
	n.pause()
	return n.ReadWriter.Write(b)
}

// Data goes both ways at once, and each side waits thousands of times for data and for room.
func TestSpinningConnectionKeepsDataIntact(t *testing.T) {
	leakcheck.Start(t)
	a, b := spinningPair(t)
	for _, c := range []*ipc.Conn{a, b} {
		require.NoError(t, c.SetWriteBuffer(4096))
	}
	const chunks, size = 6000, 1000
	send := func(c *ipc.Conn, seed uint64) func() error {
		return func() error {
			w := nowAndThen{c, rand.New(rand.NewPCG(seed, 0))}
			data := rand.NewChaCha8([32]byte{byte(seed)})
			for range chunks {
				chunk := make([]byte, size)
				data.Read(chunk)
				if _, err := w.Write(chunk); err != nil {
					return err
				}
			}
			return c.CloseWrite()
		}
	}
	receive := func(c *ipc.Conn, seed uint64) func() error {
		return func() error {
			want, got := sha256.New(), sha256.New()
			io.CopyN(want, rand.NewChaCha8([32]byte{byte(seed)}), chunks*size)
			r := nowAndThen{c, rand.New(rand.NewPCG(seed, 1))}
			if _, err := io.Copy(got, struct{ io.Reader }{r}); err != nil {
				return err
			}
			if string(got.Sum(nil)) != string(want.Sum(nil)) {
				return errors.New("what arrived is not what was sent")
			}
			return nil
		}
	}
	require.NoError(t, errors.Join(race(send(a, 1), receive(b, 1), send(b, 2), receive(a, 2))...))
}
