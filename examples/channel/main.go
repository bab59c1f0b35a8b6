// Channel is a server that keeps values by key, and its client. They exchange requests and answers as messages over a
// channel: memory that both share, so that a request costs no system call while the other side is awake.
//
//	channel serve NAME           serve until interrupted
//	channel ask NAME REQUEST…    send each request, "KEY=VALUE" or "KEY", and print the answers, which are values
//
// NAME is "user:values", say, which only you can reach.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/lipc/ipc"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("channel: ")
	if len(os.Args) < 3 {
		log.Fatal("usage: channel serve NAME | channel ask NAME REQUEST…")
	}
	name, err := ipc.ParseName(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	switch os.Args[1] {
	case "serve":
		err = serve(name)
	case "ask":
		err = ask(name, os.Args[3:])
	default:
		err = fmt.Errorf("no such command: %s", os.Args[1])
	}
	if err != nil {
		log.Fatal(err)
	}
}

func serve(name ipc.Name) error {
	l, err := ipc.ListenChannel(name)
	if err != nil {
		return err
	}
	defer l.Close()
	fmt.Println("listening on", name)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var values sync.Map
	for c, err := range l.Incoming(ctx) {
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			if err := describe("serving", c); err != nil {
				log.Print(err)
			} else if err := answer(c, &values); err != nil {
				log.Print(err)
			}
		}()
	}
	return nil
}

// describe prints who the peer is, which the kernel says, and whether memory is shared, which both ends agree on when
// the channel begins. Where it cannot be shared, everything else works the same.
func describe(what string, c *ipc.Channel) error {
	shared, err := c.Shared()
	if err != nil {
		return err
	}
	peer, err := c.PeerCredentials()
	if err != nil {
		return err
	}
	fmt.Printf("%s %v; shared memory: %s\n", what, peer, map[bool]string{true: "yes", false: "no"}[shared])
	return nil
}

// answer answers the requests of one client until the client is gone.
func answer(c *ipc.Channel, values *sync.Map) error {
	var request []byte
	for {
		var err error
		if request, err = c.ReceiveAppend(request[:0]); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		key, value, isNew := strings.Cut(string(request), "=")
		if isNew {
			values.Store(key, value)
		} else if old, ok := values.Load(key); ok {
			value = old.(string)
		}
		if err := c.Send([]byte(value)); err != nil {
			return err
		}
	}
}

func ask(name ipc.Name, requests []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := ipc.DialChannel(ctx, name)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := describe("talking to", c); err != nil {
		return err
	}
	for _, request := range requests {
		if err := c.Send([]byte(request)); err != nil {
			return err
		}
		value, err := c.ReceiveAppend(nil)
		if err == io.EOF {
			return errors.New("the server closed the channel")
		}
		if err != nil {
			return err
		}
		fmt.Printf("%s: %q\n", request, value)
	}
	return nil
}
