package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The longest times for an answer, beyond the time of what was asked, for getting ready, and for ending.
var (
	answerLimit = 10 * time.Second
	readyLimit  = 30 * time.Second
	endLimit    = 10 * time.Second
)

// errLeftOut says that the contender does not have the work.
var errLeftOut = errors.New("the contender does not have this work")

// A process is a contender's server or client. It answers each line with a line.
type process struct {
	role   string
	cmd    *exec.Cmd
	input  io.WriteCloser
	output chan string // closed when the process has ended; then err and stderr can be read
	stderr bytes.Buffer
	err    error
}

// start starts a process that is killed when ctx is done. Files are its descriptors from 3 on.
func start(ctx context.Context, role string, pin placement, files []*os.File, path string, args ...string) (
	*process, error) {
	p := &process{role: role, output: make(chan string)}
	p.cmd = exec.CommandContext(ctx, path, append([]string{role}, args...)...)
	p.cmd.ExtraFiles = files
	p.cmd.Stderr = &p.stderr
	p.cmd.WaitDelay = time.Second
	p.cmd.SysProcAttr = attributes()
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.input, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := pin.start(role, p.cmd); err != nil {
		return nil, err
	}
	go func() {
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			p.output <- lines.Text()
		}
		p.err = p.cmd.Wait()
		close(p.output)
	}()
	return p, nil
}

// check fails if this process may not run on the processors.
func (p placement) check() error {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return fmt.Errorf("sched_getaffinity: %w", err)
	}
	for _, processor := range p {
		if !allowed.IsSet(processor) {
			return fmt.Errorf("-pin: there is no processor %d that this program may use", processor)
		}
	}
	return nil
}

// start starts a command on the processor of its role. It inherits that from the thread that starts it.
func (p placement) start(role string, cmd *exec.Cmd) error {
	if p == nil {
		return cmd.Start()
	}
	// Otherwise a program in Go would have a GOMAXPROCS of 1, with which ipc does not spin.
	cmd.Env = append(os.Environ(), fmt.Sprint("GOMAXPROCS=", runtime.GOMAXPROCS(0)))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return fmt.Errorf("sched_getaffinity: %w", err)
	}
	one.Set(p[role])
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("sched_setaffinity: %w", err)
	}
	return errors.Join(cmd.Start(), unix.SchedSetaffinity(0, &before))
}

// attributes returns those of all processes that bench starts. A process is in a group of its own, so that it does not
// get the terminal's interrupts, and does not outlive the thread that starts it.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
}

// hogs are processes that never wait.
type hogs []*exec.Cmd

// startHogs starts one for each processor. They are killed when ctx is done. If it fails it leaves nothing behind.
func startHogs(ctx context.Context) (hogs, error) {
	var h hogs
	for range runtime.NumCPU() {
		hog := exec.CommandContext(ctx, "/bin/sh", "-c", "while :; do :; done")
		hog.SysProcAttr = attributes()
		if err := hog.Start(); err != nil {
			h.end()
			return nil, fmt.Errorf("a busy program: %w", err)
		}
		h = append(h, hog)
	}
	return h, nil
}

// end kills them, and waits until they have ended.
func (h hogs) end() {
	for _, hog := range h {
		hog.Process.Kill() // fails only if it has ended
		hog.Wait()         // returns that it was killed
	}
}

// line returns the next line of output.
func (p *process) line(limit time.Duration) (string, error) {
	select {
	case line, ok := <-p.output:
		if !ok {
			return "", fmt.Errorf("the %s ended early", p.role)
		}
		return line, nil
	case <-time.After(limit):
		return "", fmt.Errorf("the %s did not answer within %v", p.role, limit)
	}
}

// ask sends a line and returns the answer.
func (p *process) ask(line string, limit time.Duration) (string, error) {
	if _, err := io.WriteString(p.input, line+"\n"); err != nil {
		return "", fmt.Errorf("the %s ended early", p.role)
	}
	return p.line(limit)
}

// ready waits until the process is ready. A process that does not have the work ends with exit status 2. So does a Go
// program that panics, which is told by its stack.
func (p *process) ready() error {
	line, err := p.line(readyLimit)
	switch {
	case err == nil && line != "ready":
		return fmt.Errorf("the %s said %q in place of ready", p.role, line)
	case err != nil && p.ended() && p.cmd.ProcessState.ExitCode() == 2 && !strings.Contains(p.stderr.String(), "goroutine "):
		return errLeftOut
	}
	return err
}

// ended reports whether the process has ended, and all of its output was taken.
func (p *process) ended() bool {
	select {
	case _, ok := <-p.output:
		return !ok
	default:
		return false
	}
}

// pause stops the process, and waits until it has stopped.
func (p *process) pause() error {
	if err := p.cmd.Process.Signal(unix.SIGSTOP); err != nil {
		return fmt.Errorf("the %s ended early", p.role)
	}
	for {
		err := unix.Waitid(unix.P_PID, p.cmd.Process.Pid, nil, unix.WSTOPPED, nil)
		if err == unix.ECHILD {
			return fmt.Errorf("the %s ended early", p.role)
		}
		if err != unix.EINTR {
			return err
		}
	}
}

// proceed lets a paused process go on.
func (p *process) proceed() error {
	if err := p.cmd.Process.Signal(unix.SIGCONT); err != nil {
		return fmt.Errorf("the %s ended early", p.role)
	}
	return nil
}

// end closes the input, at which the process has to end.
func (p *process) end() error {
	p.input.Close()
	if line, err := p.line(endLimit); err == nil {
		return fmt.Errorf("the %s said %q at its end", p.role, line)
	} else if !p.ended() {
		return fmt.Errorf("the %s did not end within %v", p.role, endLimit)
	}
	if p.err != nil {
		return fmt.Errorf("the %s: %w", p.role, p.err)
	}
	return nil
}

// wait waits until the process has ended. It must have been killed, or told to end.
func (p *process) wait() {
	for range p.output {
	}
}

// cpu returns the processor time that the process has taken.
func (p *process) cpu() (time.Duration, error) {
	const cpuTime = 2 // CPUCLOCK_SCHED of a whole process
	var t unix.Timespec
	err := unix.ClockGettime(int32(^p.cmd.Process.Pid<<3|cpuTime), &t)
	return time.Duration(t.Nano()), err
}
