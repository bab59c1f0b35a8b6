// Parent sends work to its child over one pipe, and receives the results over another.
//
//	parent WORD…
package main

import (
	"bufio"
	"fmt"
	"log"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/lipc/ipc"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("parent: ")
	run := func() error { return parent(os.Args[1:]) }
	if len(os.Args) == 2 && os.Args[1] == "-child" {
		run = child
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func parent(words []string) error {
	work, toChild, err := ipc.Pipe()
	if err != nil {
		return err
	}
	defer toChild.Close()
	fromChild, results, err := ipc.Pipe()
	if err != nil {
		work.Close()
		return err
	}
	defer fromChild.Close()

	cmd := exec.Command(os.Args[0], "-child")
	cmd.Stderr = os.Stderr
	err = work.PassTo(cmd, "work")
	if err == nil {
		err = results.PassTo(cmd, "results")
	}
	if err == nil {
		err = cmd.Start()
	}
	work.Close() // the child has them now: when it ends, so do the pipes
	results.Close()
	if err != nil {
		return err
	}
	fmt.Printf("parent: process %d, child: process %d\n", os.Getpid(), cmd.Process.Pid)

	fromChild.SetDeadline(time.Now().Add(10 * time.Second)) // the parent does not hang if the child does
	answers := bufio.NewScanner(fromChild)
	for _, word := range words {
		if _, err := fmt.Fprintln(toChild, word); err != nil {
			return err
		}
		if !answers.Scan() {
			return fmt.Errorf("no answer from the child: %v", answers.Err())
		}
		fmt.Println(answers.Text())
	}
	toChild.Close() // the child reads end of stream
	return cmd.Wait()
}

func child() error {
	work, err := ipc.InheritedPipeReader("work")
	if err != nil {
		return err
	}
	results, err := ipc.InheritedPipeWriter("results")
	if err != nil {
		return err
	}
	words := bufio.NewScanner(work)
	for words.Scan() {
		if _, err := fmt.Fprintf(results, "process %d says %s\n", os.Getpid(), strings.ToUpper(words.Text())); err != nil {
			return err
		}
	}
	return words.Err()
}
