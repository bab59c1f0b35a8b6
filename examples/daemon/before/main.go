// Daemon serves its user only, and knows which process asks. It has a client, too. It is written with net,
// golang.org/x/sys and github.com/Microsoft/go-winio. The folder above has the same program with github.com/lipc/ipc.
//
//	daemon serve NAME         serve until interrupted
//	daemon ask NAME TEXT      print the answer to TEXT
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "serve":
		err = serve(os.Args[2])
	case len(os.Args) == 4 && os.Args[1] == "ask":
		err = ask(os.Args[2], os.Args[3])
	default:
		err = fmt.Errorf("usage: daemon serve NAME | daemon ask NAME TEXT")
	}
	if err != nil {
		log.Fatal(err)
	}
}

// A peer is the process at the other end.
type peer struct {
	pid  int
	user string
}

// check returns an error if the peer is not one of this user.
func check(p peer, err error) error {
	if err != nil {
		return err
	}
	own, err := ownUser()
	if err == nil && p.user != own {
		err = fmt.Errorf("process %d is one of user %s: %w", p.pid, p.user, fs.ErrPermission)
	}
	return err
}

func serve(name string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l, err := listen(name)
	if err != nil {
		return err
	}
	defer l.Close()
	context.AfterFunc(ctx, func() { l.Close() })
	fmt.Println("listening")
	for {
		c, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil { // no descriptor is left, say
			log.Print(err)
			time.Sleep(50 * time.Millisecond)
			continue
		}
		go func() {
			defer c.Close()
			if err := answer(c); err != nil {
				log.Print(err)
			}
		}()
	}
}

func answer(c net.Conn) error {
	p, err := clientOf(c)
	if err := check(p, err); err != nil {
		return err
	}
	c.SetDeadline(time.Now().Add(10 * time.Second))
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c, "hello, process %d: %s", p.pid, line)
	return err
}

func ask(name, text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := dial(ctx, name)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := check(serverOf(c)); err != nil {
		return err
	}
	deadline, _ := ctx.Deadline()
	c.SetDeadline(deadline)
	if _, err := fmt.Fprintln(c, text); err != nil {
		return err
	}
	_, err = io.Copy(os.Stdout, c)
	return err
}
