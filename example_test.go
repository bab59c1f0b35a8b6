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
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
)

// TestMain gives the examples a runtime directory of their own, as each user has one.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "lipc")
	if err != nil {
		log.Fatal(err)
	}
	os.Setenv("XDG_RUNTIME_DIR", dir)
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// exampleName returns the name of a file in a directory of its own.
func exampleName(file string) (name ipc.Name, remove func()) {
	dir, err := os.MkdirTemp("", "lipc")
	if err != nil {
		log.Fatal(err)
	}
	return ipc.Path(filepath.Join(dir, file)), func() { os.RemoveAll(dir) }
}

// A server that greets, and a client that reads the greeting.
func Example() {
	name := ipc.UserName("greeter")
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
	name := ipc.UserName("http")
	l, err := ipc.Listen(name)
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "you asked for %s", r.URL.Path)
	})}
	go server.Serve(l)
	defer server.Close()

	client := &http.Client{Transport: &http.Transport{DialContext: new(ipc.Dialer).To(name)}}
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
	name := ipc.UserName("absent")
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
	name := ipc.UserName("busy")
	l, err := ipc.Listen(name)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	d := ipc.Dialer{Timeout: 5 * time.Second} // how long to wait while the backlog is full
	c, err := d.Dial(context.Background(), name)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Println("connected")
	// Output: connected
}

func ExampleListen() {
	name := ipc.UserName("single")
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
	lc := ipc.ListenConfig{Mode: 0o660} // the owner and the members of the file's group may connect
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
	name := ipc.UserName("counter")
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
	name := ipc.UserName("patient")
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

// A listener is passed to another process as a file, for instance in exec.Cmd's ExtraFiles.
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
	first.SetUnlinkOnClose(false) // the other listener goes on
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
	for _, text := range []string{"user:app", "system:app", "/run/app.sock", "@app", ""} {
		name, err := ipc.ParseName(text)
		fmt.Printf("%q %v %v\n", name, name.Type() == ipc.UserNames, err)
	}
	// Output:
	// "user:app" true <nil>
	// "system:app" false <nil>
	// "/run/app.sock" false <nil>
	// "@app" false <nil>
	// "" false parse ipc: empty name
}

// The server and the clients of one user. Nobody else can pose as the server.
func ExampleUserName() {
	name := ipc.UserName("app")
	l, err := ipc.Listen(name)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	c, err := ipc.Dial(context.Background(), name) // fails if the server is not this user's
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	server, _ := ipc.NameOf(c.RemoteAddr())
	fmt.Println(server)
	// Output: user:app
}

// A client of a daemon of the machine, which runs as root or got its socket from the service manager.
func ExampleSystemName() {
	_, err := ipc.Dial(context.Background(), ipc.SystemName("lipc-example"))
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Println("the daemon does not run")
	}
	// Output: the daemon does not run
}

// Where other programs find a listener: curl --unix-socket "$location" http://local/
func ExampleName_Location() {
	location, err := ipc.UserName("app").Location()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(location == filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "lipc", "app"))
	// Output: true
}

func ExampleNameLimit() {
	most, err := ipc.NameLimit(ipc.UserNames)
	if err != nil {
		log.Fatal(err)
	}
	_, err = ipc.ParseName("user:" + strings.Repeat("x", most+1))
	fmt.Println(errors.Is(err, syscall.ENAMETOOLONG))
	// Output: true
}

func ExampleNamespaced() {
	fmt.Println(ipc.Namespaced("app"))
	// Output: @app
}

func ExamplePath() {
	fmt.Println(ipc.Path("/run/app.sock"))
	fmt.Println(ipc.Path("@app")) // a file named "@app"
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
