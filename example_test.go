//go:build unix

package ipc_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/lipc/ipc"
)

// Each example has a directory of its own, as a program would have in /run or in the user's runtime directory.
func exampleName(file string) (name ipc.Name, remove func()) {
	dir, err := os.MkdirTemp("", "lipc")
	if err != nil {
		log.Fatal(err)
	}
	return ipc.Path(filepath.Join(dir, file)), func() { os.RemoveAll(dir) }
}

// A server that greets, and a client that reads the greeting.
func Example() {
	name, remove := exampleName("greeter")
	defer remove()
	l, err := ipc.Listen(name)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // the listener was closed
			}
			fmt.Fprintln(c, "hello")
			c.Close()
		}
	}()

	c, err := ipc.Dial(context.Background(), name)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	greeting, err := io.ReadAll(c)
	fmt.Printf("%q %v\n", greeting, err)
	// Output: "hello\n" <nil>
}

// An HTTP server on a local socket, and a client of it.
func Example_http() {
	name, remove := exampleName("http")
	defer remove()
	l, err := ipc.Listen(name)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "you asked for %s", r.URL.Path)
	})}
	go server.Serve(l)
	defer server.Close()

	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return ipc.Dial(ctx, name) },
	}}
	response, err := client.Get("http://local/tea")
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	fmt.Println(string(body))
	// Output: you asked for /tea
}

func ExampleDial() {
	name, remove := exampleName("absent")
	defer remove()
	_, err := ipc.Dial(context.Background(), name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		fmt.Println("the server was never started")
	case errors.Is(err, syscall.ECONNREFUSED):
		fmt.Println("the server has died")
	}
	// Output: the server was never started
}

func ExampleDialer() {
	name, remove := exampleName("busy")
	defer remove()
	l, err := ipc.Listen(name)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	d := ipc.Dialer{Timeout: 5 * time.Second} // how long a full backlog is waited for
	c, err := d.Dial(context.Background(), name)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Println(c.RemoteAddr() == name)
	// Output: true
}

func ExampleListen() {
	name, remove := exampleName("single")
	defer remove()
	l, err := ipc.Listen(name)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	_, err = ipc.Listen(name) // the same program, started again
	fmt.Println(errors.Is(err, syscall.EADDRINUSE))
	// Output: true
}

func ExampleListenConfig() {
	name, remove := exampleName("shared")
	defer remove()
	lc := ipc.ListenConfig{Mode: 0o660} // the owner, and members of the file's group
	l, err := lc.Listen(context.Background(), name)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	info, err := os.Stat(name.String())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Mode().Perm())
	// Output: -rw-rw----
}

func ExampleListener_Incoming() {
	name, remove := exampleName("counter")
	defer remove()
	l, err := ipc.Listen(name)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	go func() {
		for range 3 {
			if c, err := ipc.Dial(context.Background(), name); err == nil {
				c.Close()
			}
		}
	}()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	served := 0
	for c, err := range l.Incoming(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		c.Close()
		if served++; served == 3 {
			cancel() // ends the loop
		}
	}
	fmt.Println(served)
	// Output: 3
}

func ExampleListener_AcceptConn() {
	name, remove := exampleName("patient")
	defer remove()
	l, err := ipc.Listen(name)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err = l.AcceptConn(ctx)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output: true
}

func ExamplePair() {
	a, b, err := ipc.Pair()
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
	fmt.Fprint(a, "over the wall")
	a.Close()
	text, err := io.ReadAll(b)
	fmt.Printf("%q %v\n", text, err)
	// Output: "over the wall" <nil>
}

func ExampleConn_PeerCredentials() {
	a, b, err := ipc.Pair()
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	peer, err := a.PeerCredentials()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(peer.PID == os.Getpid(), peer.UID == os.Geteuid())
	// Output: true true
}

func ExampleConn_CloseWrite() {
	a, b, err := ipc.Pair()
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	go func() { // answers once the question is complete
		question, _ := io.ReadAll(b)
		fmt.Fprintf(b, "%d bytes", len(question))
		b.Close()
	}()
	fmt.Fprint(a, "how long is this?")
	a.CloseWrite()
	answer, _ := io.ReadAll(a)
	fmt.Println(string(answer))
	// Output: 17 bytes
}

func ExampleConn_WriteBuffers() {
	a, b, err := ipc.Pair()
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	n, err := a.WriteBuffers([][]byte{[]byte("head "), []byte("body\n")}) // one system call
	if err != nil {
		log.Fatal(err)
	}
	line, err := bufio.NewReader(b).ReadString('\n')
	fmt.Printf("%d %q %v\n", n, line, err)
	// Output: 10 "head body\n" <nil>
}

func ExampleConn_ReadBuffers() {
	a, b, err := ipc.Pair()
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	fmt.Fprint(a, "headbody")
	head, body := make([]byte, 4), make([]byte, 100)
	n, err := b.ReadBuffers([][]byte{head, body})
	fmt.Printf("%q %q %v\n", head, body[:n-len(head)], err)
	// Output: "head" "body" <nil>
}

func ExampleConn_SetDeadline() {
	a, b, err := ipc.Pair()
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	a.SetDeadline(time.Now().Add(10 * time.Millisecond))
	_, err = a.Read(make([]byte, 1))
	fmt.Println(errors.Is(err, os.ErrDeadlineExceeded))
	// Output: true
}

// A listener goes to another process as a file, for instance in exec.Cmd's ExtraFiles.
func ExampleFileListener() {
	name, remove := exampleName("handed-over")
	defer remove()
	first, err := ipc.Listen(name)
	if err != nil {
		log.Fatal(err)
	}
	f, err := first.File()
	if err != nil {
		log.Fatal(err)
	}
	first.SetUnlinkOnClose(false) // the other one goes on
	first.Close()

	second, err := ipc.FileListener(f)
	if err != nil {
		log.Fatal(err)
	}
	defer second.Close()
	f.Close()
	fmt.Println(second.Addr() == name)
	// Output: true
}

func ExampleFileConn() {
	a, b, err := ipc.Pair()
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
	f, err := a.File()
	if err != nil {
		log.Fatal(err)
	}
	a.Close()
	again, err := ipc.FileConn(f)
	if err != nil {
		log.Fatal(err)
	}
	f.Close()
	fmt.Fprint(again, "still here")
	again.Close()
	text, err := io.ReadAll(b)
	fmt.Printf("%q %v\n", text, err)
	// Output: "still here" <nil>
}

func ExampleParseName() {
	for _, text := range []string{"/run/app.sock", "@app", ""} {
		name, err := ipc.ParseName(text)
		fmt.Printf("%q %v %v\n", name, name.Type() == ipc.NamespacedNames, err)
	}
	// Output:
	// "/run/app.sock" false <nil>
	// "@app" true <nil>
	// "" false parse ipc: empty name
}

func ExampleNamespaced() {
	fmt.Println(ipc.Namespaced("app"))
	// Output: @app
}

func ExamplePath() {
	fmt.Println(ipc.Path("/run/app.sock"))
	fmt.Println(ipc.Path("@app")) // a file of that name
	// Output:
	// /run/app.sock
	// ./@app
}

func ExampleSupportedNames() {
	if ipc.SupportedNames()&ipc.NamespacedNames != 0 {
		fmt.Println("no file to choose a place for")
	}
	// Output: no file to choose a place for
}

// connected returns a listener, and both ends of a connection that it accepted.
func connected() (l *ipc.Listener, client, server *ipc.Conn, end func()) {
	name, remove := exampleName("s")
	l, err := ipc.Listen(name)
	if err != nil {
		log.Fatal(err)
	}
	if client, err = ipc.Dial(context.Background(), name); err != nil {
		log.Fatal(err)
	}
	if server, err = l.AcceptConn(context.Background()); err != nil {
		log.Fatal(err)
	}
	return l, client, server, func() {
		client.Close()
		server.Close()
		l.Close()
		remove()
	}
}

func ExampleListener_Accept() {
	name, remove := exampleName("s")
	defer remove()
	l, err := ipc.Listen(name)
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		c, err := ipc.Dial(context.Background(), name)
		if err != nil {
			log.Fatal(err)
		}
		c.Close()
		l.Close()
	}()
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		c.Close()
	}
	fmt.Println("closed")
	// Output: closed
}

func ExampleListener_Addr() {
	l, client, server, end := connected()
	defer end()
	fmt.Println(l.Addr().Network(), client.RemoteAddr() == l.Addr(), server.LocalAddr() == l.Addr())
	// Output: ipc true true
}

func ExampleListener_SetDeadline() {
	l, _, _, end := connected()
	defer end()
	l.SetDeadline(time.Now().Add(10 * time.Millisecond))
	_, err := l.Accept()
	fmt.Println(errors.Is(err, os.ErrDeadlineExceeded))
	// Output: true
}

func ExampleListener_Close() {
	l, client, server, end := connected()
	defer end()
	l.Close()
	_, err := os.Stat(l.Addr().String()) // the socket file is gone; accepted connections live on
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	fmt.Fprintln(client, "still here")
	line, _ := bufio.NewReader(server).ReadString('\n')
	fmt.Print(line)
	// Output:
	// true
	// still here
}

// The listening socket goes to a child process, as its descriptor 3.
func ExampleListener_File() {
	l, _, _, end := connected()
	defer end()
	f, err := l.File()
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	child := exec.Command("test", "-S", "/dev/fd/3")
	child.ExtraFiles = []*os.File{f}
	fmt.Println(child.Run())
	// Output: <nil>
}

func ExampleListener_SetUnlinkOnClose() {
	l, _, _, end := connected()
	defer end()
	l.SetUnlinkOnClose(false)
	l.Close()
	_, err := os.Stat(l.Addr().String())
	fmt.Println(err)
	// Output: <nil>
}

func ExampleListener_SyscallConn() {
	l, _, _, end := connected()
	defer end()
	raw, err := l.SyscallConn()
	if err != nil {
		log.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		kind, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_TYPE)
		fmt.Println(kind == syscall.SOCK_STREAM, err)
	})
	// Output: true <nil>
}

func ExampleConn_Read() {
	_, client, server, end := connected()
	defer end()
	fmt.Fprint(client, "some bytes")
	client.Close()
	b := make([]byte, 100)
	n, err := server.Read(b)
	fmt.Printf("%q %v\n", b[:n], err)
	n, err = server.Read(b)
	fmt.Println(n, err)
	// Output:
	// "some bytes" <nil>
	// 0 EOF
}

func ExampleConn_Write() {
	_, client, server, end := connected()
	defer end()
	server.Close()
	_, err := client.Write([]byte("anybody there?"))
	fmt.Println(errors.Is(err, syscall.EPIPE))
	// Output: true
}

func ExampleConn_CloseRead() {
	_, client, server, end := connected()
	defer end()
	client.CloseRead()
	_, err := client.Read(make([]byte, 1))
	fmt.Println(err)
	fmt.Fprintln(client, "but writing goes on")
	line, _ := bufio.NewReader(server).ReadString('\n')
	fmt.Print(line)
	// Output:
	// EOF
	// but writing goes on
}

func ExampleConn_Close() {
	_, client, _, end := connected()
	defer end()
	time.AfterFunc(10*time.Millisecond, func() { client.Close() }) // from any goroutine, at any time
	_, err := client.Read(make([]byte, 1))
	fmt.Println(errors.Is(err, net.ErrClosed))
	// Output: true
}

func ExampleConn_SetReadDeadline() {
	_, client, _, end := connected()
	defer end()
	client.SetReadDeadline(time.Now().Add(-time.Second)) // stops readers at once
	_, err := client.Read(make([]byte, 1))
	fmt.Println(errors.Is(err, os.ErrDeadlineExceeded))
	client.SetReadDeadline(time.Time{}) // and lets them read again
	// Output: true
}

func ExampleConn_SetWriteDeadline() {
	_, client, server, end := connected()
	defer end()
	client.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
	n, err := client.Write(make([]byte, 64<<20)) // more than the system holds while nobody reads
	fmt.Println(errors.Is(err, os.ErrDeadlineExceeded))
	client.Close()
	arrived, _ := io.Copy(io.Discard, server)
	fmt.Println(arrived == int64(n))
	// Output:
	// true
	// true
}

func ExampleConn_SetWriteBuffer() {
	_, client, _, end := connected()
	defer end()
	fmt.Println(client.SetWriteBuffer(1<<20), client.SetReadBuffer(1<<20))
	// Output: <nil> <nil>
}

func ExampleConn_RemoteAddr() {
	_, client, server, end := connected()
	defer end()
	fmt.Println(client.RemoteAddr() == server.LocalAddr())
	fmt.Println(client.LocalAddr() == ipc.Name{}) // who dials has no name
	// Output:
	// true
	// true
}

func ExampleConn_SyscallConn() {
	_, client, _, end := connected()
	defer end()
	raw, err := client.SyscallConn()
	if err != nil {
		log.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		size, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF)
		fmt.Println(size > 0, err)
	})
	// Output: true <nil>
}

func ExampleConn_File() {
	_, client, server, end := connected()
	defer end()
	f, err := client.File()
	if err != nil {
		log.Fatal(err)
	}
	client.Close() // the connection lives on in f
	fmt.Fprintln(f, "from the file")
	f.Close()
	text, err := io.ReadAll(server)
	fmt.Printf("%q %v\n", text, err)
	// Output: "from the file\n" <nil>
}

func ExampleListenConfig_FileListener() {
	l, _, _, end := connected()
	defer end()
	f, err := l.File() // usually from the process that started this one
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	lc := ipc.ListenConfig{Mode: 0o666} // for an abstract name: any user may connect
	again, err := lc.FileListener(f)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(again.Addr() == l.Addr(), again.Close())
	// Output: true <nil>
}

func ExampleName_String() {
	name := ipc.Namespaced("app")
	again, err := ipc.ParseName(name.String())
	fmt.Println(name, again == name, err)
	// Output: @app true <nil>
}

func ExampleName_Type() {
	for _, name := range []ipc.Name{ipc.Path("/run/s"), ipc.Namespaced("s"), {}} {
		switch name.Type() {
		case ipc.PathNames:
			fmt.Println("a path")
		case ipc.NamespacedNames:
			fmt.Println("namespaced")
		default:
			fmt.Println("none")
		}
	}
	// Output:
	// a path
	// namespaced
	// none
}
