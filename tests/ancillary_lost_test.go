//go:build unix

package tests

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestFilesThatThereIsNoRoomForAreLostButThePayloadIsNot(t *testing.T) {
	leakcheck.Start(t)
	eachKind(t, func(t *testing.T, k kind) {
		a, b := k.newPair(t)
		payload := make([]byte, 100)
		r := ipc.NewControlReader(make([]byte, 40)) // no room for 20 files
		for what, receive := range map[string]func() (int, int, error){
			"message": func() (int, int, error) {
				m := ipc.Message{Buffers: [][]byte{payload[:3], payload[3:]}, MaxFiles: 5}
				n, err := b.ReceiveMessage(&m)
				return n, len(m.Files), err
			},
			"files": func() (int, int, error) { return b.ReceiveFiles(payload, make([]*os.File, 5)) },
			"control": func() (int, int, error) {
				n, err := b.ReceiveControl(payload, r)
				require.False(t, r.Next(), "after that error the reader is empty")
				require.NoError(t, r.Err())
				return n, 0, err
			},
		} {
			watch, file := watched(t)
			files := make([]*os.File, 20)
			for i := range files {
				files[i] = file
			}
			before := descriptors()
			_, err := a.SendFiles([]byte("payload"), files...)
			require.NoError(t, err)
			n, count, err := receive()
			require.ErrorIs(t, err, ipc.ErrFilesLost, what)
			require.NotErrorIs(t, err, syscall.EMFILE, what)
			require.ErrorContains(t, err, "read ipc: files came", what)
			require.Equal(t, "payload", string(payload[:n]), what)
			require.Zero(t, count)
			require.Equal(t, before, descriptors(), what)
			require.NoError(t, file.Close())
			requireClosedEverywhere(t, watch)
		}
	})
}

func TestFilesThatAProcessMayNotOpenAreLostButThePayloadIsNot(t *testing.T) {
	leakcheck.Start(t)
	files := numbered(t, 5)
	eachKind(t, func(t *testing.T, k kind) {
		for _, free := range []int{0, 3} {
			p, c := k.start(t, nil, "ancillary")
			p.order("leave %d", free)
			p.expect("left")
			for range 3 {
				watch, file := watched(t)
				_, err := c.SendFiles([]byte("payload"), append(files[:4:4], file)...)
				require.NoError(t, err)
				p.order("receive 10")
				p.expect("payload, 0 files, lost for want of descriptors, +0 descriptors")
				require.NoError(t, file.Close())
				requireClosedEverywhere(t, watch)
			}
			_, err := c.SendFiles([]byte("fewer"), files[:free]...)
			require.NoError(t, err)
			p.order("receive 10")
			p.expect(fmt.Sprintf("fewer, %d files, received, +0 descriptors", free))
			_, err = c.SendFiles([]byte("unwanted"), files...)
			require.NoError(t, err)
			p.order("receive 0")
			p.expect("unwanted, 0 files, received, +0 descriptors")
		}
	})
}

func TestFilesThatNobodyAskedForAreClosed(t *testing.T) {
	leakcheck.Start(t)
	b := make([]byte, 100)
	eachKind(t, func(t *testing.T, k kind) {
		from, to := k.newPair(t)
		receives := map[string]func() error{
			"message": func() error { _, err := to.ReceiveMessage(&ipc.Message{Buffers: [][]byte{b}}); return err },
			"files":   func() error { _, _, err := to.ReceiveFiles(b, nil); return err },
			"control": func() error {
				r := ipc.NewControlReader(make([]byte, ipc.ControlSize))
				_, err := to.ReceiveControl(b, r)
				return errors.Join(err, r.Close())
			},
			"control again": func() error { // the next receive closes what the last one left
				r := ipc.NewControlReader(make([]byte, ipc.ControlSize))
				_, err := to.ReceiveControl(b, r)
				if err == nil {
					_, err = from.SendFiles([]byte("next"))
				}
				if err == nil {
					_, err = to.ReceiveControl(b, r)
				}
				return err
			},
		}
		if c, ok := to.(io.Reader); ok {
			receives["read"] = func() error { _, err := c.Read(b); return err }
		}
		if c, ok := to.(*ipc.Conn); ok {
			receives["buffers"] = func() error { _, err := c.ReadBuffers([][]byte{b[:1], b[1:]}); return err }
		}
		if c, ok := to.(interface {
			Receive([]byte) (int, error)
			ReceiveAppend([]byte) ([]byte, error)
			ReceiveBatch([][]byte) (int, error)
			Peek([]byte) (int, error)
		}); ok {
			receives["receive"] = func() error { _, err := c.Receive(b); return err }
			receives["append"] = func() error { _, err := c.ReceiveAppend(nil); return err }
			receives["batch"] = func() error { _, err := c.ReceiveBatch([][]byte{b, b}); return err }
			receives["peek"] = func() error {
				before := descriptors()
				if _, err := c.Peek(b); err != nil {
					return err
				}
				require.Equal(t, before, descriptors(), "peek")
				_, err := c.Receive(b)
				return err
			}
			receives["truncated"] = func() error {
				m := ipc.Message{Buffers: [][]byte{b[:3]}, MaxFiles: 10, Credentials: new(ipc.Credentials)}
				n, err := to.ReceiveMessage(&m)
				require.ErrorIs(t, err, ipc.ErrTruncated)
				require.Equal(t, 3, n)
				require.Empty(t, m.Files)
				return nil
			}
			receives["truncated, as control"] = func() error {
				r := ipc.NewControlReader(make([]byte, ipc.ControlSize))
				n, err := to.ReceiveControl(b[:3], r)
				require.ErrorIs(t, err, ipc.ErrTruncated)
				require.Equal(t, 3, n)
				require.False(t, r.Next())
				return nil
			}
		}
		if c, ok := to.(*ipc.DatagramConn); ok {
			receives["from"] = func() error { _, _, err := c.ReceiveFrom(b); return err }
			receives["packet"] = func() error { _, _, err := c.ReadFrom(b); return err }
		}
		for what, receive := range receives {
			watch, file := watched(t)
			before := descriptors()
			_, err := from.SendFiles([]byte("payload"), file, file)
			require.NoError(t, err)
			require.NoError(t, receive(), what)
			require.Equal(t, before, descriptors(), what)
			require.NoError(t, file.Close())
			requireClosedEverywhere(t, watch)
		}
		watch, file := watched(t) // and files that nobody receives
		_, err := from.SendFiles([]byte("payload"), file)
		require.NoError(t, err)
		require.NoError(t, file.Close())
		require.NoError(t, to.Close())
		requireClosedEverywhere(t, watch)
	})
}

// inFlightChild sends files to itself until the system takes no more, and answers with how that ended.
func inFlightChild(_ []string, _ *bufio.Scanner) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = 64
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	a, b, err := ipc.Pair()
	if err != nil {
		return err
	}
	defer a.Close()
	defer b.Close()
	files := slices.Repeat([]*os.File{os.Stdin}, 10)
	for range 1000 {
		if _, err = a.SendFiles([]byte("x"), files...); err != nil {
			break
		}
	}
	var op *net.OpError
	fmt.Println(errors.Is(err, syscall.ETOOMANYREFS), errors.As(err, &op) && op.Temporary(), op != nil && op.Timeout())
	for received := 0; received < len(files); { // that makes room
		n, count, err := b.ReceiveFiles(make([]byte, 1), make([]*os.File, len(files)))
		if n != 1 || count != len(files) || err != nil {
			return fmt.Errorf("%d bytes, %d files, %v", n, count, err)
		}
		received += count
	}
	_, err = a.SendFiles([]byte("x"), files...)
	fmt.Println(err)
	return nil
}

func TestTooManyFilesOnTheirWayIsATemporaryError(t *testing.T) {
	leakcheck.Start(t)
	if !onLinux {
		facility.Missing(t, "a limit of the files on their way, unix(7)")
	}
	p := startAs(t, unprivileged(t), "in flight") // root is not limited
	p.expect("true true false")
	p.expect("<nil>")
}
