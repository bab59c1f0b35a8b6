// Opener is a privileged process that opens files for others, and a sandboxed process that reads the files it is
// passed.
//
//	opener serve NAME DIR     open files below DIR for clients, until interrupted
//	opener read NAME FILE     give up root, ask for FILE, and print what is in it
//
// NAME is "user:opener", say, which only you can reach. The reader first connects and then gives up its
// privileges, so that the socket can belong to root alone. From then on it can read only the files it is passed.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/lipc/ipc"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("opener: ")
	if len(os.Args) != 4 {
		log.Fatal("usage: opener serve NAME DIR | opener read NAME FILE")
	}
	name, err := ipc.ParseName(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	switch os.Args[1] {
	case "serve":
		err = serve(name, os.Args[3])
	case "read":
		err = read(name, os.Args[3])
	default:
		err = fmt.Errorf("no such command: %s", os.Args[1])
	}
	if err != nil {
		log.Fatal(err)
	}
}

func serve(name ipc.Name, dir string) error {
	root, err := os.OpenRoot(dir) // no path that a client asks for leads out of it
	if err != nil {
		return err
	}
	defer root.Close()
	l, err := ipc.Listen(name)
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
			requests := bufio.NewScanner(c)
			for requests.Scan() {
				if err := open(c, root, requests.Text()); err != nil {
					log.Print(err)
					return
				}
			}
		}()
	}
	return nil
}

// open answers with the file, or with a line that says why it cannot.
func open(c *ipc.Conn, root *os.Root, path string) error {
	f, err := root.Open(path)
	if err != nil {
		_, err = fmt.Fprintf(c, "cannot open it: %v\n", err)
		return err
	}
	defer f.Close() // the reader has a descriptor of its own
	fmt.Println("passing", path)
	return sendFile(c, f)
}

func read(name ipc.Name, path string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := ipc.Dial(ctx, name)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := sandbox(); err != nil {
		return err
	}
	if strings.Contains(path, "\n") {
		return errors.New("a path with a line break cannot be asked for")
	}
	if _, err := fmt.Fprintln(c, path); err != nil {
		return err
	}
	answer, f, err := receiveFile(c)
	if err == io.EOF {
		return errors.New("the opener closed the connection")
	}
	if err != nil {
		return err
	}
	fmt.Printf("the opener says: %s", answer)
	if f == nil {
		return errors.New("no file came")
	}
	defer f.Close()
	_, err = io.Copy(os.Stdout, f)
	return err
}
