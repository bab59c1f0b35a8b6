// Package nettest tests Conn with golang.org/x/net/nettest. It is a module of its own, so that the package itself does
// not depend on golang.org/x/net.
package nettest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"golang.org/x/net/nettest"
)

func TestConnOverPath(t *testing.T) {
	dir, err := os.MkdirTemp("", "lipc") // t.TempDir is too long for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	if runtime.GOOS == "windows" {
		path = fmt.Sprintf(`\\.\pipe\lipc-nettest-%d-path`, os.Getpid())
	}
	nettest.TestConn(t, over(ipc.Path(path)))
}

func TestConnOverNamespacedName(t *testing.T) {
	nettest.TestConn(t, over(ipc.Namespaced(fmt.Sprint("lipc-nettest-", os.Getpid()))))
}

func TestConnOfPair(t *testing.T) {
	nettest.TestConn(t, func() (a, b net.Conn, stop func(), err error) {
		c1, c2, err := ipc.Pair()
		if err != nil {
			return nil, nil, nil, err
		}
		return c1, c2, func() { c1.Close(); c2.Close() }, nil
	})
}

// A duplex is two pipes, one for each direction.
type duplex struct {
	*ipc.PipeReader
	w *ipc.PipeWriter
}

func (d duplex) Write(b []byte) (int, error)        { return d.w.Write(b) }
func (d duplex) Close() error                       { return errors.Join(d.PipeReader.Close(), d.w.Close()) }
func (d duplex) SetWriteDeadline(t time.Time) error { return d.w.SetDeadline(t) }
func (d duplex) LocalAddr() net.Addr                { return ipc.Name{} }
func (d duplex) RemoteAddr() net.Addr               { return ipc.Name{} }
func (d duplex) SetDeadline(t time.Time) error {
	return errors.Join(d.SetReadDeadline(t), d.SetWriteDeadline(t))
}

func TestConnOfTwoPipes(t *testing.T) {
	nettest.TestConn(t, func() (a, b net.Conn, stop func(), err error) {
		r1, w1, err := ipc.Pipe()
		if err != nil {
			return nil, nil, nil, err
		}
		r2, w2, err := ipc.Pipe()
		if err != nil {
			return nil, nil, nil, err
		}
		a, b = duplex{r1, w2}, duplex{r2, w1}
		return a, b, func() { a.Close(); b.Close() }, nil
	})
}

func over(name ipc.Name) nettest.MakePipe {
	return func() (a, b net.Conn, stop func(), err error) {
		l, err := ipc.Listen(name)
		if err != nil {
			return nil, nil, nil, err
		}
		defer l.Close()
		c1, err := ipc.Dial(context.Background(), name)
		if err != nil {
			return nil, nil, nil, err
		}
		c2, err := l.Accept()
		if err != nil {
			return nil, nil, nil, err
		}
		return c1, c2, func() { c1.Close(); c2.Close() }, nil
	}
}
