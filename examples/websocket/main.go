// Websocket is a WebSocket server on a local socket, and its client. It is a module of its own for its dependency.
//
//	websocket serve NAME   send back what comes, until interrupted; NAME is "user:talk", say
//	websocket talk NAME    send each line of the standard input, and print what comes back
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/coder/websocket"
	"github.com/lipc/ipc"
)

func main() {
	run := map[string]func(context.Context, ipc.Name) error{"serve": serve, "talk": talk}
	if len(os.Args) != 3 || run[os.Args[1]] == nil {
		log.Fatal("usage: websocket serve NAME | websocket talk NAME")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	name, err := ipc.ParseName(os.Args[2])
	if err == nil {
		err = run[os.Args[1]](ctx, name)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func serve(ctx context.Context, name ipc.Name) error {
	l, err := ipc.Listen(name)
	if err != nil {
		return err
	}
	fmt.Println("listening on", name)
	var open sync.WaitGroup
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		open.Add(1)
		defer open.Done()
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return // Accept has answered
		}
		defer c.CloseNow()
		defer context.AfterFunc(ctx, func() { c.Close(websocket.StatusGoingAway, "the server ends") })()
		peer, _ := ipc.PeerFromContext(r.Context())
		c.Write(r.Context(), websocket.MessageText, fmt.Appendf(nil, "welcome, %v", peer))
		for {
			kind, message, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, message) != nil {
				return
			}
		}
	})
	server := &http.Server{ConnContext: ipc.ConnContext, ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(l)
	<-ctx.Done()
	defer open.Wait() // Shutdown does not wait for connections that have become WebSockets
	return server.Shutdown(context.Background())
}

func talk(ctx context.Context, name ipc.Name) error {
	dialContext := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(ipc.Dialer).DialContext(ctx, "unix", name.String()) // whatever the host of the URL is
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dialContext}}
	c, _, err := websocket.Dial(ctx, "ws://local/", &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		return err
	}
	received := make(chan bool)
	go func() {
		for lines := bufio.NewScanner(os.Stdin); <-received && lines.Scan(); {
			c.Write(ctx, websocket.MessageText, lines.Bytes()) // if it fails, so does Read
		}
		c.Close(websocket.StatusNormalClosure, "")
	}()
	for {
		_, message, err := c.Read(ctx) // also while there is no line, to notice that the server ends
		if websocket.CloseStatus(err) == websocket.StatusNormalClosure || errors.Is(err, net.ErrClosed) {
			return nil // no line is left
		}
		if err != nil {
			return err
		}
		fmt.Printf("%s\n", message)
		received <- true
	}
}
