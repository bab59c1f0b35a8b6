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

// Only the server writes to this pipe, and everybody on this machine may read it.
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

	c, err := ipc.Dial(context.Background(), name) // the direction is the server's
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

// A server acts as its client, which permits it.
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
	client.Write([]byte("open it")) // the server must have read something first
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

// A file is given to the peer's process, which here is this process.
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
	f.Close() // the peer has a handle of its own
	fmt.Fprintln(a, number)

	fmt.Fscan(b, &number) // safe only if the peer is trusted
	given := os.NewFile(number, "given")
	defer given.Close()
	start := make([]byte, 2)
	given.Read(start)
	fmt.Printf("%s\n", start)
	// Output: MZ
}

// A server waits until its client has read everything, and then ends the connection.
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
