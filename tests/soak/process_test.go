//go:build unix

package soak

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A process runs this program as a server or a client, until its input ends.
const childVariable = "LIPC_TEST_CHILD"

func TestMain(m *testing.M) {
	child := os.Getenv(childVariable)
	if child == "" {
		os.Exit(m.Run())
	}
	seed, err := strconv.ParseUint(os.Args[2], 10, 64)
	exitOn(err)
	if child == "server" {
		exitOn(serverChild(os.Args[1], seed))
		return
	}
	id, err := strconv.ParseUint(os.Args[3], 10, 64)
	exitOn(err)
	exitOn(clientChild(os.Args[1], seed, id))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, os.Args[1:], err)
		os.Exit(1)
	}
}

type process struct {
	cmd    *exec.Cmd
	input  io.WriteCloser
	output *bufio.Reader
	killed atomic.Bool
	ended  chan struct{}
}

// starting is held while a process is started or reaped, since either takes a thread.
var starting sync.Mutex

// startProcess runs a child. The descriptor alive stays open for as long as the process lives.
func startProcess(alive *os.File, environment []string, child string, args ...string) (*process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, args...)
	cmd.Env = append(append(os.Environ(), childVariable+"="+child, "GORACE=atexit_sleep_ms=0"), environment...)
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{alive}
	p := &process{cmd: cmd, ended: make(chan struct{})}
	if p.input, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.output = bufio.NewReader(output)
	starting.Lock()
	defer starting.Unlock()
	return p, cmd.Start()
}

// patience is how long a process may take for an order before it prints where it hangs.
const patience = time.Minute

// bound has the Go runtime end the process with the stacks of its goroutines, unless done is closed in time.
func (p *process) bound(done <-chan struct{}) {
	select {
	case <-done:
	case <-time.After(patience):
		p.cmd.Process.Signal(syscall.SIGQUIT)
	}
}

// answer waits for the next line.
func (p *process) answer() (string, error) {
	answered := make(chan struct{})
	defer close(answered)
	go p.bound(answered)
	return p.output.ReadString('\n')
}

// end lets the process end, which may take a while.
func (p *process) end() {
	p.input.Close()
	p.bound(p.ended)
}

func (p *process) kill() {
	p.killed.Store(true)
	p.cmd.Process.Kill()
}

// wait waits for the end of the process, which must succeed or be killed.
func (p *process) wait() (killed bool, err error) {
	io.Copy(io.Discard, p.output) // to the process's end, without a thread that waits for it
	starting.Lock()
	defer starting.Unlock()
	err = p.cmd.Wait()
	close(p.ended)
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if p.killed.Load() && status.Signaled() && status.Signal() == syscall.SIGKILL {
		return true, nil
	}
	if err != nil {
		err = fmt.Errorf("%s ended: %w", p.cmd.Args[1:], err)
	}
	return false, err
}
