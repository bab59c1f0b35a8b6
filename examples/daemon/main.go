// Daemon serves its user only, and knows which process asks. It has a client, too. The folder "before" has the same
// program without this package, see docs/coming-from-net-and-go-winio.md.
//
//	daemon serve NAME         serve until interrupted
//	daemon ask NAME TEXT      print the answer to TEXT
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lipc/ipc"
)

func main() {
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "serve":
		err = serve(ipc.UserName(os.Args[2]))
	case len(os.Args) == 4 && os.Args[1] == "ask":
		err = ask(ipc.UserName(os.Args[2]), os.Args[3])
	default:
		err = fmt.Errorf("usage: daemon serve NAME | daemon ask NAME TEXT")
	}
	if err != nil {
		log.Fatal(err)
	}
}

func serve(name ipc.Name) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	lc := ipc.ListenConfig{Client: ipc.SameUser, Refused: func(_ ipc.Credentials, err error) { log.Print(err) }}
	l, err := lc.Listen(ctx, name)
	if err != nil {
		return err
	}
	defer l.Close()
	fmt.Println("listening")
	for c, err := range l.Incoming(ctx) {
		if err != nil {
			log.Print(err)
			continue
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

func answer(c *ipc.Conn) error {
	peer, err := c.PeerCredentials()
	if err != nil {
		return err
	}
	c.SetDeadline(time.Now().Add(10 * time.Second))
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c, "hello, process %d: %s", peer.PID, line)
	return err
}

func ask(name ipc.Name, text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := ipc.Dial(ctx, name)
	if err != nil {
		return err
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	c.SetDeadline(deadline)
	if _, err := fmt.Fprintln(c, text); err != nil {
		return err
	}
	_, err = io.Copy(os.Stdout, c)
	return err
}
