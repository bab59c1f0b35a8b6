//go:build unix

// Supervisor runs programs, and restarts those that fail or are killed. It reports how each has ended.
//
//	supervisor COMMAND…     run each command with the shell, until all have succeeded
//
// One SIGCHLD may stand for several children, so the supervisor asks for the status of each program after every
// SIGCHLD. It waits only for the processes that it started: a wait for any child would take statuses from the rest of
// the program, os/exec included.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"syscall"
	"time"

	"github.com/lipc/ipc/signals"
)

// pause is how long the supervisor waits before it restarts a program.
const pause = 100 * time.Millisecond

func main() {
	log.SetFlags(0)
	log.SetPrefix("supervisor: ")
	if len(os.Args) < 2 {
		log.Fatal("usage: supervisor COMMAND…")
	}
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(commands []string) error {
	w, err := signals.Watch(syscall.SIGCHLD, syscall.SIGINT, syscall.SIGTERM)
	if err != nil {
		return err
	}
	defer w.Close()
	running := map[int]string{} // by process id
	for _, command := range commands {
		if err := start(command, running); err != nil {
			return err
		}
	}
	for ending := false; len(running) > 0; {
		info, err := w.Next(context.Background())
		if err != nil {
			return err
		}
		if info.Signal != syscall.SIGCHLD {
			ending = true
			fmt.Println("asked to end:", info)
			for pid := range running {
				if err := signals.Send(pid, info.Signal); err != nil {
					log.Print(err)
				}
			}
		}
		for _, command := range ended(running) {
			if ending {
				continue
			}
			time.Sleep(pause)
			if err := start(command, running); err != nil {
				return err
			}
		}
	}
	return nil
}

// start starts a command. No other process gets its process ID before ended has taken its status.
func start(command string, running map[int]string) error {
	p, err := os.StartProcess("/bin/sh", []string{"sh", "-c", command},
		&os.ProcAttr{Files: []*os.File{nil, os.Stdout, os.Stderr}})
	if err != nil {
		return err
	}
	running[p.Pid] = command
	fmt.Printf("%q is process %d\n", command, p.Pid)
	return p.Release()
}

// ended takes the statuses of the programs that have ended, and returns the commands of those that did not succeed.
func ended(running map[int]string) (failed []string) {
	for pid, command := range running {
		var status syscall.WaitStatus
		if got, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil); err != nil || got != pid {
			continue
		}
		delete(running, pid)
		switch {
		case status.Signaled():
			fmt.Printf("process %d was killed by %s\n", pid, signals.Name(status.Signal()))
		default:
			fmt.Printf("process %d exited with %d\n", pid, status.ExitStatus())
		}
		if !status.Exited() || status.ExitStatus() != 0 {
			failed = append(failed, command)
		}
	}
	return failed
}
