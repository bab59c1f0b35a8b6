//go:build unix

package ipc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"slices"

	"github.com/lipc/ipc"
)

// A server that admits the members of a group, and a client that is not one of them.
func ExamplePeerPolicy() {
	const operators = 4711
	lc := ipc.ListenConfig{
		Mode: 0o666,
		Client: func(c ipc.Credentials) error {
			if c.GID == operators || slices.Contains(c.Groups, operators) {
				return nil
			}
			return errors.New("not an operator")
		},
		Refused: func(c ipc.Credentials, err error) {
			fmt.Println(c.PID == os.Getpid(), errors.Is(err, fs.ErrPermission)) // err says why, and who it was
		},
	}
	name := ipc.UserName("operators")
	l, err := lc.Listen(context.Background(), name)
	if err != nil {
		log.Fatal(err)
	}
	refused := make(chan error)
	go func() {
		_, err := l.Accept() // admits nobody, so it ends with Close
		refused <- err
	}()
	c, err := ipc.Dial(context.Background(), name)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	_, err = c.Read(make([]byte, 1))
	fmt.Println(err == io.EOF)
	l.Close()
	<-refused
	// Unordered output:
	// true true
	// true
}

// Another program prescribes a path, where any user could have been first: the client says whom it expects.
func ExampleSameUser() {
	name, remove := exampleName("prescribed")
	defer remove()
	l, err := ipc.Listen(name)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	d := ipc.Dialer{Server: ipc.SameUser}
	c, err := d.Dial(context.Background(), name)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.Close())
	// Output: <nil>
}

func ExampleSameUserOrAdmin() {
	fmt.Println(ipc.SameUserOrAdmin(ipc.Credentials{PID: 1, UID: 0, GID: 0}))
	fmt.Println(ipc.SameUserOrAdmin(ipc.Credentials{PID: 4711, UID: os.Geteuid(), GID: os.Getegid()}))
	// Output:
	// <nil>
	// <nil>
}

func ExampleAdmin() {
	fmt.Println(ipc.Admin(ipc.Credentials{PID: 1, UID: 0, GID: 0}))
	fmt.Println(ipc.Admin(ipc.Credentials{PID: 4711, UID: 1000, GID: 1000}))
	// Output:
	// <nil>
	// expected root: permission denied
}

func ExampleAnyOf() {
	admit := ipc.AnyOf(33, 998) // for instance those of a web server and of a database
	fmt.Println(admit(ipc.Credentials{PID: 4711, UID: 998, GID: 998}))
	fmt.Println(admit(ipc.Credentials{PID: 4712, UID: 999, GID: 999}))
	// Output:
	// <nil>
	// expected user 33 or 998: permission denied
}
