// Logger prints datagrams with the credentials of their senders, which the kernel supplies. It also sends datagrams.
//
//	logger serve NAME         print datagrams until interrupted
//	logger log NAME TEXT…     send each text as a datagram
//
// NAME is "user:logger", say, to which no other user can send. For a logger of the whole machine it is "system:logger",
// on which only root can listen. Windows has no datagrams.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/lipc/ipc"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("logger: ")
	if len(os.Args) < 3 {
		log.Fatal("usage: logger serve NAME | logger log NAME TEXT…")
	}
	name, err := ipc.ParseName(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	switch os.Args[1] {
	case "serve":
		err = serve(name)
	case "log":
		err = send(name, os.Args[3:])
	default:
		err = fmt.Errorf("no such command: %s", os.Args[1])
	}
	if err != nil {
		log.Fatal(err)
	}
}

func serve(name ipc.Name) error {
	c, err := ipc.ListenDatagram(name)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetPassCredentials(true); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	fmt.Println("listening on", name)
	text := make([]byte, 8192)
	for sender := new(ipc.Credentials); ; {
		m := ipc.Message{Buffers: [][]byte{text}, Credentials: sender}
		n, err := c.ReceiveMessage(&m)
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case errors.Is(err, ipc.ErrTruncated):
			fmt.Printf("process %d of user %d, the beginning: %s\n", sender.PID, sender.UID, text[:n])
		case err != nil:
			return err
		default:
			fmt.Printf("process %d of user %d: %s\n", sender.PID, sender.UID, text[:n])
		}
	}
}

func send(name ipc.Name, texts []string) error {
	c, err := ipc.DialDatagram(name)
	if err != nil {
		return err
	}
	defer c.Close()
	for _, text := range texts {
		if err := c.Send([]byte(text)); err != nil {
			return err
		}
	}
	return nil
}
