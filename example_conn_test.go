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
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/lipc/ipc"
)

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
	name := ipc.UserName("s")
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
	l, client, _, end := connected()
	defer end()
	name, _ := ipc.NameOf(client.RemoteAddr())
	fmt.Println(name == l.Addr())
	// Output: true
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
	_, err := os.Stat(l.Addr().String()) // the socket file is gone; accepted connections stay open
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	fmt.Fprintln(client, "still here")
	line, _ := bufio.NewReader(server).ReadString('\n')
	fmt.Print(line)
	// Output:
	// true
	// still here
}

// A child process gets the listening socket as its descriptor 3.
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
	n, err := client.Write(make([]byte, 64<<20)) // more than the system buffers while nobody reads
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
	// Output: true
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
	client.Close() // the connection stays open in f
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
	name := ipc.UserName("app")
	again, err := ipc.ParseName(name.String())
	fmt.Println(name, again == name, err)
	// Output: user:app true <nil>
}

func ExampleName_Type() {
	for _, name := range []ipc.Name{ipc.UserName("s"), ipc.Path("/run/s"), {}} {
		switch name.Type() {
		case ipc.UserNames:
			fmt.Println("the user's")
		case ipc.PathNames:
			fmt.Println("a path")
		default:
			fmt.Println("none")
		}
	}
	// Output:
	// the user's
	// a path
	// none
}
