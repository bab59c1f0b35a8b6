// Sums is a message server and its client. Each request is one message, and each answer is one, even if several are
// under way.
//
//	sums serve NAME            serve until interrupted
//	sums ask NAME NUMBERS…     send each argument, as in "1 2 3", as a message, and print the answers
//
// NAME is "user:sums", say, which only you can reach. macOS has no message sockets.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/lipc/ipc"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("sums: ")
	if len(os.Args) < 3 {
		log.Fatal("usage: sums serve NAME | sums ask NAME NUMBERS…")
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
	l, err := ipc.ListenMessage(name)
	if err != nil {
		return err
	}
	defer l.Close()
	fmt.Println("listening on", name)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	for c, err := range l.Incoming(ctx) {
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			if err := answer(c); err != nil {
				log.Print(err)
			}
		}()
	}
	return nil
}

// answer answers the requests of one client until the client is gone.
func answer(c *ipc.MessageConn) error {
	var request []byte
	for {
		var err error
		if request, err = c.ReceiveAppend(request[:0]); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		sum, err := add(string(request))
		reply := strconv.Itoa(sum)
		if err != nil {
			reply = err.Error()
		}
		if err := c.Send([]byte(reply)); err != nil {
			return err
		}
	}
}

func add(numbers string) (int, error) {
	sum := 0
	for _, number := range strings.Fields(numbers) {
		n, err := strconv.Atoi(number)
		if err != nil {
			return 0, fmt.Errorf("%q is no number", number)
		}
		sum += n
	}
	return sum, nil
}

func ask(name ipc.Name, requests []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := ipc.DialMessage(ctx, name)
	if err != nil {
		return err
	}
	defer c.Close()
	for _, request := range requests { // all at once: messages need no separators
		if err := c.Send([]byte(request)); err != nil {
			return err
		}
	}
	for _, request := range requests {
		reply, err := c.ReceiveAppend(nil)
		if err == io.EOF {
			return errors.New("the server closed the connection")
		}
		if err != nil {
			return err
		}
		fmt.Printf("%q: %s\n", request, reply)
	}
	return nil
}
