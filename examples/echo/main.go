// Echo is a server that sends back what it receives, and its client.
//
//	echo serve NAME        serve until interrupted; a second server on the same name fails
//	echo say NAME TEXT…    send each text, and print what comes back
//
// NAME is "user:echo", say, which only you can reach. See ipc.ParseName for other names.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lipc/ipc"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("echo: ")
	if len(os.Args) < 3 {
		log.Fatal("usage: echo serve NAME | echo say NAME TEXT…")
	}
	name, err := ipc.ParseName(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	switch os.Args[1] {
	case "serve":
		err = serve(name)
	case "say":
		err = say(name, os.Args[3:])
	default:
		err = fmt.Errorf("no such command: %s", os.Args[1])
	}
	if err != nil {
		log.Fatal(err)
	}
}

func serve(name ipc.Name) error {
	l, err := ipc.Listen(name)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("the name is taken: %w", err)
	}
	if err != nil {
		return err
	}
	defer l.Close() // removes the socket file
	fmt.Println("listening on", name)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	for c, err := range l.Incoming(ctx) {
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			if peer, err := c.PeerCredentials(); err == nil {
				fmt.Println("serving", peer)
			}
			if _, err := io.Copy(c, c); err != nil && !errors.Is(err, net.ErrClosed) {
				log.Print(err)
			}
		}()
	}
	return nil
}

func say(name ipc.Name, texts []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := ipc.Dial(ctx, name)
	if err != nil {
		return err
	}
	defer c.Close()
	peer, err := c.PeerCredentials()
	if err != nil {
		return err
	}
	fmt.Println("talking to", peer)
	answers := bufio.NewReader(c)
	for _, text := range texts {
		if _, err := fmt.Fprintln(c, text); err != nil {
			return err
		}
		answer, err := answers.ReadString('\n')
		if err == io.EOF {
			return errors.New("the server closed the connection")
		}
		if err != nil {
			return err
		}
		fmt.Print("got back: ", answer)
	}
	return nil
}
