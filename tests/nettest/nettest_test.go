// Package nettest holds Conn against golang.org/x/net/nettest. It is a module of its own, so that the package
// itself does not depend on golang.org/x/net.
package nettest

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/lipc/ipc"
	"golang.org/x/net/nettest"
)

func TestConnOverPath(t *testing.T) {
	dir, err := os.MkdirTemp("", "lipc") // t.TempDir is too long for a socket's path
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	nettest.TestConn(t, over(ipc.Path(filepath.Join(dir, "s"))))
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
