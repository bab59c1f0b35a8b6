// Workers gives jobs to two child processes, and replaces a child that dies. Each has a connection to the parent.
//
//	workers WORD…
//
// A job is to write a word in capitals. The word "crash" ends the process that gets it. Then another process
// gets the same job, once.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/lipc/ipc"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) == 2 && os.Args[1] == "-child" {
		work()
		return
	}
	jobs := make(chan string)
	var pool sync.WaitGroup
	for range 2 {
		pool.Go(func() { employ(jobs) })
	}
	for _, word := range os.Args[1:] {
		jobs <- word
	}
	close(jobs)
	pool.Wait()
}

// employ gives jobs to a worker. If the worker dies, another one gets the job, once.
func employ(jobs <-chan string) {
	w := hire()
	for job := range jobs {
		for range 2 {
			answer, err := w.ask(job)
			if err == nil {
				fmt.Println(answer)
				break
			}
			log.Printf("%s: %v", job, errors.Join(err, w.end()))
			w = hire()
		}
	}
	w.end()
}

type worker struct {
	conn    *ipc.Conn
	answers *bufio.Scanner
	cmd     *exec.Cmd
}

func hire() *worker {
	ours, theirs, err := ipc.Pair()
	cmd := exec.Command(os.Args[0], "-child")
	if err == nil {
		err = theirs.PassTo(cmd, "jobs")
	}
	if err == nil {
		err = errors.Join(cmd.Start(), theirs.Close()) // now only the child has it, and ends it when it ends
	}
	if err != nil {
		log.Fatal(err)
	}
	return &worker{ours, bufio.NewScanner(ours), cmd}
}

func (w *worker) ask(job string) (string, error) {
	_, err := fmt.Fprintln(w.conn, job)
	if err == nil && !w.answers.Scan() {
		err = errors.Join(errors.New("no answer"), w.answers.Err())
	}
	return w.answers.Text(), err
}

// end closes the connection, so that the child reads end of stream, and waits for the child.
func (w *worker) end() error { return errors.Join(w.conn.Close(), w.cmd.Wait()) }

func work() {
	c, err := ipc.InheritedConn("jobs")
	if err != nil {
		log.Fatal(err)
	}
	for jobs := bufio.NewScanner(c); jobs.Scan(); {
		if jobs.Text() == "crash" {
			os.Exit(3)
		}
		fmt.Fprintf(c, "%s, by process %d\n", strings.ToUpper(jobs.Text()), os.Getpid())
	}
}
