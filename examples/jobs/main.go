//go:build unix

// Jobs is a queue of jobs in the kernel. A job is a number, which a real-time signal carries to the worker process. The
// kernel keeps the signals that wait, on Linux at most as many as "ulimit -i" prints for all processes of a user.
//
//	jobs work              print the process id, and do the jobs that come, until interrupted
//	jobs add PID NUMBER…   add jobs for the worker PID, and wait while too many signals are queued
//
// Linux, FreeBSD and NetBSD have this.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/lipc/ipc/signals"
)

// theJob is the signal that carries a job.
var theJob = signals.RealTime(0)

func main() {
	log.SetFlags(0)
	log.SetPrefix("jobs: ")
	var err error
	switch {
	case len(os.Args) == 2 && os.Args[1] == "work":
		err = work()
	case len(os.Args) > 3 && os.Args[1] == "add":
		err = add(os.Args[2], os.Args[3:])
	default:
		err = errors.New("usage: jobs work | jobs add PID NUMBER…")
	}
	if err != nil {
		log.Fatal(err)
	}
}

func work() error {
	w, err := signals.Watch(theJob, syscall.SIGINT, syscall.SIGTERM)
	if err != nil {
		return err
	}
	defer w.Close()
	fmt.Println(os.Getpid())
	for info, err := range w.All(context.Background()) {
		if err != nil {
			return err
		}
		if info.Dropped > 0 { // more than Config.QueueSize were waiting
			log.Printf("%d signals are lost", info.Dropped)
		}
		if info.Signal != theJob {
			return nil
		}
		if info.Code != signals.CodeQueue {
			log.Printf("this is no job: %v", info)
			continue
		}
		fmt.Printf("job %d for process %d of user %d\n", info.Value, info.PID, info.UID)
	}
	return nil
}

func add(worker string, numbers []string) error {
	pid, err := strconv.Atoi(worker)
	if err != nil {
		return err
	}
	for _, text := range numbers {
		number, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		err = signals.Queue(pid, theJob, number)
		for errors.Is(err, syscall.EAGAIN) { // too many signals are queued
			time.Sleep(time.Millisecond)
			err = signals.Queue(pid, theJob, number)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
