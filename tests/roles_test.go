package tests

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
)

var roles = map[string]role{
	"echo":   echoRole,
	"racer":  racerRole,
	"dialer": dialerRole,
	"holder": holderRole,
	"stat":   statRole,
	"flood":  floodRole,
	"client": clientRole,
	"drain":  drainRole,
	"pipes":  pipesRole,
}

// systemRoles has more, which this system alone can play.
func init() { maps.Copy(roles, systemRoles) }

// echoRole serves NAME, and answers "listening". Each connection gets back what it sends.
func echoRole(args []string, orders *bufio.Scanner) error {
	name, err := ipc.ParseName(args[0])
	if err != nil {
		return err
	}
	l, err := ipc.Listen(name)
	if err != nil {
		return err
	}
	go serveEcho(l)
	fmt.Println("listening")
	orders.Scan()
	return l.Close()
}

// serveEcho serves until the listener is closed, and the clients that there were by then are gone.
func serveEcho(l net.Listener) {
	var group sync.WaitGroup
	defer group.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		group.Go(func() {
			defer c.Close()
			io.Copy(c, c)
		})
	}
}

// racerRole answers "listen NAME" with "won", or with "in use"; and "close" with "closed".
func racerRole(_ []string, orders *bufio.Scanner) error {
	var l *ipc.Listener
	served := make(chan bool)
	for orders.Scan() {
		order, text, _ := strings.Cut(orders.Text(), " ")
		switch order {
		case "listen":
			name, err := ipc.ParseName(text)
			if err != nil {
				return err
			}
			switch l, err = ipc.Listen(name); {
			case err == nil:
				fmt.Println("won")
				go func() {
					serveEcho(l)
					served <- true
				}()
			case errors.Is(err, syscall.EADDRINUSE):
				fmt.Println("in use")
			default:
				return err
			}
		case "close":
			if err := l.Close(); err != nil {
				return err
			}
			<-served // on Windows a name is in use as long as a connection of it is
			fmt.Println("closed")
		}
	}
	return nil
}

// dialerRole answers "dial NAME COUNT" with "served COUNT" after so many simultaneous dials, each with an echo.
func dialerRole(_ []string, orders *bufio.Scanner) error {
	for orders.Scan() {
		var text string
		var count int
		if _, err := fmt.Sscanf(orders.Text(), "dial %s %d", &text, &count); err != nil {
			return err
		}
		name, err := ipc.ParseName(text)
		if err != nil {
			return err
		}
		results := make(chan error, count)
		for range count {
			go func() { results <- echoOnce(name) }()
		}
		for range count {
			if err := <-results; err != nil {
				return err
			}
		}
		fmt.Println("served", count)
	}
	return nil
}

// echoOnce dials, and expects its bytes back.
func echoOnce(name ipc.Name) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := ipc.Dial(ctx, name)
	if err != nil {
		return err
	}
	defer c.Close()
	sent, got := []byte("over there and back"), make([]byte, 19)
	if _, err := c.Write(sent); err != nil {
		return err
	}
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if !bytes.Equal(sent, got) {
		return fmt.Errorf("sent %q, got %q back", sent, got)
	}
	return nil
}

// holderRole serves NAME, answers "listening", and after COUNT connections "threads N". It keeps them all.
func holderRole(args []string, orders *bufio.Scanner) error {
	var count int
	if _, err := fmt.Sscan(args[1], &count); err != nil {
		return err
	}
	name, err := ipc.ParseName(args[0])
	if err != nil {
		return err
	}
	l, err := ipc.Listen(name)
	if err != nil {
		return err
	}
	defer l.Close()
	runtime.GOMAXPROCS(4) // the runtime has threads for each processor, which are not what is counted
	fmt.Println("listening")
	ended := make(chan error, count)
	for range count {
		c, err := l.AcceptConn(context.Background())
		if err != nil {
			return err
		}
		defer c.Close()
		go func() { // each has a reader that waits
			_, err := c.Read(make([]byte, 1))
			ended <- err
		}()
	}
	fmt.Println("threads", leakcheck.Threads())
	for orders.Scan() { // "end COUNT" after the other side closed so many: their readers must see the end
		var closed int
		if _, err := fmt.Sscanf(orders.Text(), "end %d", &closed); err != nil {
			return err
		}
		for range closed {
			if err := <-ended; err != io.EOF {
				return fmt.Errorf("an idle reader got %v, wanted EOF", err)
			}
		}
		fmt.Println("ended", closed)
	}
	return nil
}

// statRole dials each NAME that it is ordered to, and answers with how that ended.
func statRole(_ []string, orders *bufio.Scanner) error {
	for orders.Scan() {
		name, err := ipc.ParseName(orders.Text())
		if err != nil {
			return err
		}
		fmt.Println(dialAndRead(name))
	}
	return nil
}

// floodRole answers "flooding", and dials NAME again and again.
func floodRole(args []string, orders *bufio.Scanner) error {
	name, err := ipc.ParseName(args[0])
	if err != nil {
		return err
	}
	fmt.Println("flooding")
	ended := make(chan struct{})
	go func() {
		orders.Scan()
		close(ended)
	}()
	for {
		select {
		case <-ended:
			return nil
		default:
			if c, err := ipc.Dial(context.Background(), name); err == nil {
				c.Close()
			}
		}
	}
}

// dialAndRead tells what a peer sees that connects and reads: "EOF", "data", or the error's number.
func dialAndRead(name ipc.Name) string {
	c, err := ipc.Dial(context.Background(), name)
	var number syscall.Errno
	if errors.As(err, &number) {
		return fmt.Sprintf("dial errno %d", int(number))
	}
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	switch _, err := c.Read(make([]byte, 1)); err {
	case nil:
		return "data"
	case io.EOF:
		return "EOF"
	default:
		return err.Error()
	}
}

// clientRole dials each NAME that it is ordered to, answers "connected" or with the error, and keeps the connection.
func clientRole(_ []string, orders *bufio.Scanner) error {
	for orders.Scan() {
		name, err := ipc.ParseName(orders.Text())
		if err != nil {
			return err
		}
		c, err := ipc.Dial(context.Background(), name)
		if err != nil {
			fmt.Println(err)
			continue
		}
		defer c.Close()
		fmt.Println("connected")
	}
	return nil
}

// drainRole dials NAME, and answers "connected". When it is ordered to, it reads to the end, in small pieces, and
// answers with how many bytes came, and their checksum.
func drainRole(args []string, orders *bufio.Scanner) error {
	name, err := ipc.ParseName(args[0])
	if err != nil {
		return err
	}
	c, err := ipc.Dial(context.Background(), name)
	if err != nil {
		return err
	}
	defer c.Close()
	fmt.Println("connected")
	orders.Scan()
	sum := sha256.New()
	n, err := io.CopyBuffer(struct{ io.Writer }{sum}, struct{ io.Reader }{c}, make([]byte, 777))
	if err != nil {
		return err
	}
	fmt.Printf("%d %x\n", n, sum.Sum(nil))
	return nil
}
