//go:build unix

package ipc_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/lipc/ipc"
)

func ExamplePipe() {
	r, w, err := ipc.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	go func() {
		fmt.Fprintln(w, "through the pipe")
		w.Close()
	}()
	text, err := io.ReadAll(r)
	fmt.Printf("%q %v\n", text, err)
	// Output: "through the pipe\n" <nil>
}

func ExamplePipeReader_SetReadDeadline() {
	r, w, err := ipc.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	r.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	_, err = r.Read(make([]byte, 1))
	fmt.Println(errors.Is(err, os.ErrDeadlineExceeded))
	// Output: true
}

func ExamplePipeWriter_Write() {
	r, w, err := ipc.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()
	r.Close()
	_, err = w.Write([]byte("anybody there?"))
	fmt.Println(errors.Is(err, syscall.EPIPE))
	// Output: true
}

// Every child process gets the reading end, with the same number.
func ExamplePipeConfig() {
	pc := ipc.PipeConfig{InheritReader: true}
	r, w, err := pc.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	fmt.Fprintln(w, "to a child")
	w.Close()
	raw, err := r.SyscallConn()
	if err != nil {
		log.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		output, err := exec.Command("cat", fmt.Sprint("/dev/fd/", fd)).Output()
		fmt.Print(string(output), err, "\n")
	})
	// Output:
	// to a child
	// <nil>
}

// A child that is not a Go program finds the descriptor's number in its environment.
func ExamplePipeReader_PassTo() {
	r, w, err := ipc.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	child := exec.Command("sh", "-c", `cat "/dev/fd/$IPC_PIPE_jobs"`)
	if err := r.PassTo(child, "jobs"); err != nil {
		log.Fatal(err)
	}
	output, err := child.StdoutPipe()
	if err != nil {
		log.Fatal(err)
	}
	if err := child.Start(); err != nil {
		log.Fatal(err)
	}
	r.Close() // it is the child's now
	fmt.Fprintln(w, "a job")
	w.Close()
	text, _ := io.ReadAll(output)
	fmt.Print(string(text), child.Wait(), "\n")
	// Output:
	// a job
	// <nil>
}

func ExampleInheritedPipeReader() {
	_, err := ipc.InheritedPipeReader("jobs") // if the parent passed one with PassTo
	fmt.Println(errors.Is(err, fs.ErrNotExist), "nobody passed one to this process")
	// Output: true nobody passed one to this process
}

func ExamplePipeWriter_SetBuffer() {
	r, w, err := ipc.Pipe()
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	err = w.SetBuffer(1 << 20)
	fmt.Println(err == nil || errors.Is(err, errors.ErrUnsupported)) // only Linux can
	// Output: true
}

// exampleFIFO creates a FIFO.
func exampleFIFO() (path string, remove func()) {
	dir, err := os.MkdirTemp("", "lipc")
	if err != nil {
		log.Fatal(err)
	}
	path = filepath.Join(dir, "fifo")
	if err := ipc.CreateFIFO(path, 0o600); err != nil {
		log.Fatal(err)
	}
	return path, func() { os.RemoveAll(dir) }
}

func ExampleCreateFIFO() {
	path, remove := exampleFIFO()
	defer remove()
	info, err := os.Stat(path)
	fmt.Println(info.Mode(), err)
	fmt.Println(errors.Is(ipc.CreateFIFO(path, 0o600), fs.ErrExist))
	// Output:
	// prw------- <nil>
	// true
}

// The writer can be any program.
func ExampleOpenFIFOReader() {
	path, remove := exampleFIFO()
	defer remove()
	child := exec.Command("sh", "-c", `echo "from sh" >"$0"`, path)
	if err := child.Start(); err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := ipc.OpenFIFOReader(ctx, path)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	line, err := bufio.NewReader(r).ReadString('\n')
	fmt.Printf("%q %v\n", line, err)
	child.Wait()
	// Output: "from sh\n" <nil>
}

func ExampleOpenFIFOWriter() {
	path, remove := exampleFIFO()
	defer remove()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err := ipc.OpenFIFOWriter(ctx, path) // nobody reads
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output: true
}

// A service gets its socket from the service manager, or creates one itself.
func ExampleActivated() {
	a, err := ipc.Activated()
	if err != nil {
		log.Fatal(err)
	}
	name := ipc.UserName("service")
	listeners := a.Listeners["service"]
	if len(listeners) == 0 {
		l, err := ipc.Listen(name)
		if err != nil {
			log.Fatal(err)
		}
		listeners = append(listeners, l)
	}
	for _, l := range listeners {
		fmt.Println(l.Addr() == name, l.Close())
	}
	// Output: true <nil>
}

// Reading standard input with a deadline.
func ExampleFilePipeReader() {
	stdin, w, err := os.Pipe() // as if it were os.Stdin
	if err != nil {
		log.Fatal(err)
	}
	defer stdin.Close()
	defer w.Close()
	r, err := ipc.FilePipeReader(stdin)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	fmt.Fprintln(w, "typed in time")
	r.SetDeadline(time.Now().Add(time.Minute))
	line, err := bufio.NewReader(r).ReadString('\n')
	fmt.Printf("%q %v\n", line, err)
	// Output: "typed in time\n" <nil>
}
