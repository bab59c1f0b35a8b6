package ipc_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"

	"github.com/lipc/ipc"
)

// channels returns both ends of a channel.
func channels() (a, b *ipc.Channel) {
	a, b, err := ipc.ChannelPair(nil)
	if err != nil {
		log.Fatal(err)
	}
	return a, b
}

func ExampleDialChannel() {
	name := ipc.UserName("squares")
	l, err := ipc.ListenChannel(name)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	go func() { // usually another program; DialChannel waits until it has accepted
		c, err := l.AcceptChannel(context.Background())
		if err != nil {
			log.Fatal(err)
		}
		defer c.Close()
		var request []byte
		for {
			if request, err = c.ReceiveAppend(request[:0]); err != nil {
				return // io.EOF: the client is gone
			}
			n := binary.LittleEndian.Uint64(request)
			c.Send(binary.LittleEndian.AppendUint64(nil, n*n))
		}
	}()

	c, err := ipc.DialChannel(context.Background(), name)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	answer := make([]byte, 8)
	for n := range uint64(4) {
		c.Send(binary.LittleEndian.AppendUint64(nil, n))
		if _, err := c.Receive(answer); err != nil {
			log.Fatal(err)
		}
		fmt.Println(n, binary.LittleEndian.Uint64(answer))
	}
	// Output:
	// 0 0
	// 1 1
	// 2 4
	// 3 9
}

// A server whose channels share up to 256 MiB in all, and take messages of at most 1 MiB.
func ExampleChannelListener() {
	name := ipc.UserName("limited")
	lc := ipc.ListenConfig{Channel: &ipc.ChannelConfig{MaxMessage: 1 << 20, Budget: 256 << 20}}
	l, err := lc.ListenChannel(context.Background(), name)
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := ipc.DialChannel(context.Background(), name)
		if err != nil {
			log.Fatal(err)
		}
		defer c.Close()
		c.Send([]byte("hello"))
		fmt.Println(c.Send(make([]byte, 2<<20)) != nil)
	}()
	for c, err := range l.Incoming(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		for {
			message, err := c.ReceiveAppend(nil)
			if err == io.EOF {
				break
			}
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(string(message))
		}
		c.Close()
		break
	}
	// Unordered output:
	// hello
	// true
}

func ExampleChannel_Reserve() {
	a, b := channels()
	defer a.Close()
	defer b.Close()
	room, err := a.Reserve(100) // shared memory: what is written there is not copied any more
	if err != nil {
		log.Fatal(err)
	}
	line := fmt.Appendf(room[:0], "%d bottles", 99)
	if err := a.Commit(len(line)); err != nil {
		log.Fatal(err)
	}
	message, err := b.ReceiveAppend(nil)
	fmt.Printf("%s %v\n", message, err)
	// Output: 99 bottles <nil>
}

func ExampleChannel_Next() {
	a, b := channels()
	defer a.Close()
	defer b.Close()
	a.Send([]byte{3, 'a', 'b', 'c', 'd'})
	message, err := b.Next()
	if err != nil {
		log.Fatal(err)
	}
	size := int(message[0]) // a copy, since the peer could change what was checked
	if size < len(message) {
		fmt.Printf("%s\n", message[1:][:size])
	}
	b.Release() // message must not be used any more
	// Output: abc
}

// net/http over a channel.
func ExampleChannel_Stream() {
	name := ipc.UserName("channel-http")
	l, err := ipc.ListenChannel(name) // a net.Listener of streams
	if err != nil {
		log.Fatal(err)
	}
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello from", r.URL.Path)
	})}
	go server.Serve(l)
	defer server.Close()

	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			c, err := ipc.DialChannel(ctx, name)
			if err != nil {
				return nil, err
			}
			return c.Stream(), nil
		},
	}}
	response, err := client.Get("http://local/tea")
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	fmt.Printf("%s%v\n", body, err)
	// Output:
	// hello from /tea
	// <nil>
}

func ExampleChannelPair() {
	a, b, err := ipc.ChannelPair(&ipc.ChannelConfig{RingSize: 64 << 10})
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
	sent, err := a.SendBatch([][]byte{[]byte("one"), nil, []byte("three")})
	fmt.Println(sent, err)
	a.Close() // what was sent arrives
	for {
		message, err := b.ReceiveAppend(nil)
		if err == io.EOF {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%q\n", message)
	}
	// Output:
	// 3 <nil>
	// "one"
	// ""
	// "three"
}
