//go:build linux || freebsd || netbsd || openbsd

package ipc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"syscall"

	"github.com/lipc/ipc"
)

// messages returns both ends of a connection of messages.
func messages() (a, b *ipc.MessageConn) {
	a, b, err := ipc.MessagePair()
	if err != nil {
		log.Fatal(err)
	}
	return a, b
}

func ExampleListenMessage() {
	name := ipc.UserName("jobs")
	l, err := ipc.ListenMessage(name)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := ipc.DialMessage(context.Background(), name)
		if err != nil {
			log.Fatal(err)
		}
		defer c.Close()
		for _, job := range []string{"fetch", "build", "test"} {
			if err := c.Send([]byte(job)); err != nil {
				log.Fatal(err)
			}
		}
	}()
	c, err := l.AcceptConn(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	for buffer := make([]byte, 100); ; {
		n, err := c.Receive(buffer)
		if err == io.EOF {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(buffer[:n]))
	}
	// Output:
	// fetch
	// build
	// test
}

func ExampleMessageListener_Incoming() {
	name := ipc.UserName("votes")
	l, err := ipc.ListenMessage(name)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	c, err := ipc.DialMessage(context.Background(), name)
	if err != nil {
		log.Fatal(err)
	}
	c.Send([]byte("aye"))
	c.Close()
	for c, err := range l.Incoming(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		vote, _ := c.ReceiveAppend(nil)
		fmt.Println(string(vote))
		c.Close()
		break
	}
	// Output: aye
}

func ExampleMessageConn_Send() {
	a, b := messages()
	defer a.Close()
	defer b.Close()
	err := a.Send(make([]byte, 100<<20))
	fmt.Println(errors.Is(err, syscall.EMSGSIZE))
	// Output: true
}

func ExampleMessageConn_Receive() {
	a, b := messages()
	defer a.Close()
	defer b.Close()
	a.Send([]byte("too long for that"))
	buffer := make([]byte, 8)
	n, err := b.Receive(buffer)
	fmt.Printf("%q %v\n", buffer[:n], errors.Is(err, ipc.ErrTruncated))
	// Output: "too long" true
}

func ExampleMessageConn_ReceiveAppend() {
	a, b := messages()
	defer a.Close()
	defer b.Close()
	a.Send([]byte("as long as it is"))
	message, err := b.ReceiveAppend([]byte("got: "))
	fmt.Printf("%s %v\n", message, err)
	// Output: got: as long as it is <nil>
}

func ExampleMessageConn_Peek() {
	a, b := messages()
	defer a.Close()
	defer b.Close()
	a.Send([]byte("look"))
	buffer := make([]byte, 10)
	n, _ := b.Peek(buffer)
	fmt.Printf("%q\n", buffer[:n])
	n, _ = b.Receive(buffer) // still there
	fmt.Printf("%q\n", buffer[:n])
	// Output:
	// "look"
	// "look"
}

func ExampleMessageConn_MessageSize() {
	a, b := messages()
	defer a.Close()
	defer b.Close()
	a.Send(make([]byte, 1234))
	size, err := b.MessageSize()
	fmt.Println(size == 1234 || errors.Is(err, errors.ErrUnsupported)) // Linux reports it, the BSDs do not
	// Output: true
}

func ExampleMessageConn_SendBatch() {
	a, b := messages()
	defer a.Close()
	defer b.Close()
	sent, err := a.SendBatch([][]byte{[]byte("one"), []byte("two"), []byte("three")})
	fmt.Println(sent, err)
	buffers := [][]byte{make([]byte, 10), make([]byte, 10), make([]byte, 10), make([]byte, 10)}
	received, err := b.ReceiveBatch(buffers)
	fmt.Printf("%q %v\n", buffers[:received], err)
	// Output:
	// 3 <nil>
	// ["one" "two" "three"] <nil>
}

func ExampleFileMessageConn() {
	a, b := messages()
	defer b.Close()
	f, err := a.File() // usually from the process that started this one
	if err != nil {
		log.Fatal(err)
	}
	a.Close()
	again, err := ipc.FileMessageConn(f)
	if err != nil {
		log.Fatal(err)
	}
	f.Close()
	again.Send([]byte("still here"))
	again.Close()
	message, err := b.ReceiveAppend(nil)
	fmt.Printf("%q %v\n", message, err)
	// Output: "still here" <nil>
}

func ExampleFileMessageListener() {
	name, remove := exampleName("handed-over")
	defer remove()
	l, err := ipc.ListenMessage(name)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	f, err := l.File()
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	again, err := ipc.FileMessageListener(f)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(again.Addr().String() == name.String(), again.Close())
	// Output: true <nil>
}

func ExampleMessagePair() {
	a, b, err := ipc.MessagePair()
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	a.Send([]byte("first"))
	a.Send(nil) // an empty message is a message
	for range 2 {
		message, err := b.ReceiveAppend(nil)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%q\n", message)
	}
	// Output:
	// "first"
	// ""
}
