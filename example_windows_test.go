package ipc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"syscall"

	"github.com/lipc/ipc"
)

// A pipe that only the server writes to, and that everybody on this machine may read.
func ExampleSysListen() {
	name := ipc.Path(fmt.Sprintf(`\\.\pipe\lipc-example-%d`, os.Getpid()))
	config := ipc.ListenConfig{Sys: &ipc.SysListen{
		Direction:          ipc.ServerToClient,
		SecurityDescriptor: "D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GA;;;OW)(A;;GR;;;AU)", // all rights, or reading
	}}
	l, err := config.Listen(context.Background(), name)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	go func() {
		for c, err := range l.Incoming(context.Background()) {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Fprint(c, "the news")
			c.Close()
		}
	}()

	c, err := ipc.Dial(context.Background(), name) // which finds out about the direction
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	news, _ := io.ReadAll(c)
	fmt.Printf("%s\n", news)
	_, err = c.Write([]byte("an opinion"))
	fmt.Println(errors.Is(err, syscall.EINVAL))
	// Output:
	// the news
	// true
}

// A server acts as its client, which allows it.
func ExampleConn_Impersonate() {
	name := ipc.Namespaced(fmt.Sprintf("lipc-example-%d", os.Getpid()))
	l, err := ipc.Listen(name)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	dialer := ipc.Dialer{Sys: &ipc.SysDial{Impersonation: ipc.ImpersonationImpersonate}}
	client, err := dialer.Dial(context.Background(), name) // usually in another program
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	server, err := l.AcceptConn(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	client.Write([]byte("open it")) // Windows wants something to have been read before
	server.Read(make([]byte, 7))

	err = server.Impersonate(func() {
		_, err := os.Open(`C:\no such file`) // as far as the client may
		fmt.Println(errors.Is(err, fs.ErrNotExist))
	})
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

// A file is given to the process at the other end, which here is the same one.
func ExampleConn_GiveFile() {
	a, b, err := ipc.Pair()
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	f, err := os.Open(os.Args[0])
	if err != nil {
		log.Fatal(err)
	}
	number, err := a.GiveFile(f)
	if err != nil {
		log.Fatal(err)
	}
	f.Close() // what was given is the other's own
	fmt.Fprintln(a, number)

	fmt.Fscan(b, &number) // which trusts who it comes from
	given := os.NewFile(number, "given")
	defer given.Close()
	start := make([]byte, 2)
	given.Read(start)
	fmt.Printf("%s\n", start)
	// Output: MZ
}

// What the peer has read can be waited for, and a connection ended at once.
func ExampleConn_Flush() {
	name := ipc.Namespaced(fmt.Sprintf("lipc-example-%d", os.Getpid()))
	l, err := ipc.Listen(name)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	client, err := ipc.Dial(context.Background(), name)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	server, err := l.AcceptConn(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()

	server.Write([]byte("read this"))
	go io.ReadFull(client, make([]byte, 9))
	fmt.Println(server.Flush())
	fmt.Println(server.Disconnect())
	_, err = client.Read(make([]byte, 1))
	fmt.Println(err)
	// Output:
	// <nil>
	// <nil>
	// EOF
}
