//go:build unix

package ipc_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"os"
	"time"

	"github.com/lipc/ipc"
)

// datagrams returns a socket that is bound to a name.
func datagrams(file string) (c *ipc.DatagramConn, name ipc.Name, end func()) {
	name, remove := exampleName(file)
	c, err := ipc.ListenDatagram(name)
	if err != nil {
		log.Fatal(err)
	}
	return c, name, func() {
		c.Close()
		remove()
	}
}

// Two bound sockets exchange a question and an answer.
func ExampleDatagramConn() {
	server, serverName, end := datagrams("server")
	defer end()
	client, _, endClient := datagrams("client")
	defer endClient()
	client.SendTo([]byte("what time is it?"), serverName)

	b := make([]byte, 100)
	n, from, err := server.ReceiveFrom(b)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(b[:n]))
	server.SendTo([]byte("late"), from)

	n, err = client.Receive(b)
	fmt.Println(string(b[:n]), err)
	// Output:
	// what time is it?
	// late <nil>
}

// Everybody may write to this log.
func ExampleListenDatagram() {
	name, remove := exampleName("log")
	defer remove()
	c, err := ipc.ListenDatagram(name)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	for _, line := range []string{"started", "stopped"} {
		w, err := ipc.DialDatagram(name)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Fprint(w, line)
		w.Close()
	}
	for range 2 {
		line, err := c.ReceiveAppend(nil)
		fmt.Println(string(line), err)
	}
	// Output:
	// started <nil>
	// stopped <nil>
}

func ExampleListenConfig_ListenDatagram() {
	name, remove := exampleName("log")
	defer remove()
	lc := ipc.ListenConfig{Mode: 0o622}
	c, err := lc.ListenDatagram(context.Background(), name)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	info, err := os.Stat(name.String())
	fmt.Println(info.Mode().Perm(), err)
	// Output: -rw--w--w- <nil>
}

func ExampleDialDatagram() {
	name, remove := exampleName("nobody")
	defer remove()
	_, err := ipc.DialDatagram(name)
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	// Output: true
}

func ExampleOpenDatagram() {
	server, name, end := datagrams("server")
	defer end()
	c, err := ipc.OpenDatagram()
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	fmt.Println(c.SendTo([]byte("anonymous"), name))
	b := make([]byte, 100)
	n, from, err := server.ReceiveFrom(b)
	fmt.Println(string(b[:n]), from == ipc.Name{}, err)
	// Output:
	// <nil>
	// anonymous true <nil>
}

func ExampleDatagramConn_Connect() {
	a, aName, endA := datagrams("a")
	defer endA()
	b, bName, endB := datagrams("b")
	defer endB()
	a.Connect(bName)
	b.Connect(aName)
	fmt.Fprint(a, "to b")
	text, err := b.ReceiveAppend(nil)
	fmt.Println(string(text), err)

	a.Connect(ipc.Name{}) // dissolves the connection
	fmt.Println(a.RemoteAddr().String() == "")
	// Output:
	// to b <nil>
	// true
}

func ExampleDatagramConn_SendTo() {
	c, name, end := datagrams("full")
	defer end()
	c.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
	for { // nobody receives
		if err := c.SendTo(make([]byte, 1000), name); err != nil {
			fmt.Println(errors.Is(err, os.ErrDeadlineExceeded))
			break
		}
	}
	// Output: true
}

func ExampleDatagramConn_ReceiveFrom() {
	c, name, end := datagrams("c")
	defer end()
	c.SendTo([]byte("to myself"), name)
	b := make([]byte, 2)
	n, from, err := c.ReceiveFrom(b)
	fmt.Println(string(b[:n]), from == name, errors.Is(err, ipc.ErrTruncated))
	// Output: to true true
}

// A function that takes a net.PacketConn works with a DatagramConn.
func ExampleDatagramConn_WriteTo() {
	c, name, end := datagrams("c")
	defer end()
	packets := net.PacketConn(c)
	packets.WriteTo([]byte("packet"), name)
	packets.WriteTo([]byte("another"), &net.UnixAddr{Name: name.String(), Net: "unixgram"})
	b := make([]byte, 100)
	for range 2 {
		n, from, err := packets.ReadFrom(b)
		fmt.Println(string(b[:n]), from.String() == name.String(), err)
	}
	// Output:
	// packet true <nil>
	// another true <nil>
}

func ExampleDatagramConn_SetUnlinkOnClose() {
	c, name, end := datagrams("kept")
	defer end()
	c.SetUnlinkOnClose(false)
	c.Close()
	_, err := os.Stat(name.String())
	fmt.Println(err)
	// Output: <nil>
}

func ExampleDatagramPair() {
	a, b, err := ipc.DatagramPair()
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	a.SendBatch([][]byte{[]byte("one"), nil, []byte("three")})
	for range 3 {
		text, err := b.ReceiveAppend(nil)
		fmt.Printf("%q %v\n", text, err)
	}
	// Output:
	// "one" <nil>
	// "" <nil>
	// "three" <nil>
}

func ExampleFileDatagramConn() {
	c, name, end := datagrams("c")
	defer end()
	f, err := c.File() // usually from the process that started this one
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	again, err := ipc.FileDatagramConn(f)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(again.LocalAddr().String() == name.String(), again.Close())
	// Output: true <nil>
}
