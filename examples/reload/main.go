//go:build unix

// Reload is a server that reads its file again when it gets SIGHUP, and reports which process asked for that.
//
//	reload NAME FILE     send each client the text of the file, until interrupted
//
// NAME is "user:reload", say. Then "lipc connect user:reload" is a client, and "kill -HUP PID" makes the server read
// the file again.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/user"
	"strconv"
	"sync/atomic"
	"syscall"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/signals"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("reload: ")
	if len(os.Args) != 3 {
		log.Fatal("usage: reload NAME FILE")
	}
	name, err := ipc.ParseName(os.Args[1])
	if err == nil {
		err = serve(name, os.Args[2])
	}
	if err != nil {
		log.Fatal(err)
	}
}

func serve(name ipc.Name, file string) error {
	// Before the server listens, so that SIGHUP does not end it once a client can find it.
	w, err := signals.Watch(syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)
	if err != nil {
		return err
	}
	defer w.Close()
	var text atomic.Pointer[[]byte]
	if err := load(&text, file); err != nil {
		return err
	}
	l, err := ipc.Listen(name)
	if err != nil {
		return err
	}
	defer l.Close()
	go answer(l, &text)
	fmt.Println("process", os.Getpid(), "is listening on", name)
	for info, err := range w.All(context.Background()) {
		if err != nil {
			return err
		}
		if info.Signal != syscall.SIGHUP {
			fmt.Println("ended by", asker(info))
			return nil
		}
		if err := load(&text, file); err != nil {
			log.Print(err) // and go on with the old text
			continue
		}
		fmt.Println("reloaded for", asker(info))
	}
	return nil
}

func load(text *atomic.Pointer[[]byte], file string) error {
	content, err := os.ReadFile(file)
	if err == nil {
		text.Store(&content)
	}
	return err
}

func answer(l *ipc.Listener, text *atomic.Pointer[[]byte]) {
	for c, err := range l.Incoming(context.Background()) {
		if err != nil {
			log.Print(err)
			continue
		}
		go func() {
			defer c.Close()
			if _, err := c.Write(*text.Load()); err != nil {
				log.Print(err)
			}
		}()
	}
}

// asker describes the process that sent a signal, as far as it is known. The process may have ended since.
func asker(info signals.Info) string {
	if info.PID < 0 {
		return "the system"
	}
	name := strconv.Itoa(info.UID)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", info.PID)) // other systems have no such file
	if err != nil {
		program = "a program that is not known"
	}
	return fmt.Sprintf("process %d of user %s, %q", info.PID, name, program)
}
