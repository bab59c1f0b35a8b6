//go:build linux && (amd64 || arm64)

// Package contenders tests that each contender in Go does what it is asked, in all its variants and works.
package contenders

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/lipc/ipc/bench/contender"
)

// The contenders' variants, and their works.
var programs = map[string]map[string][]string{
	"ipc": {"unix": contender.Chatting, "spin": contender.Passing, "message": contender.Passing,
		"messagespin": contender.Passing, "bufio": contender.Buffered, "datagram": contender.Single, "pipe": contender.Single,
		"channel": contender.Chatting, "channelnospin": contender.Single, "channelbatch": contender.OneWay,
		"channelzerocopy": contender.Single, "channelstream": contender.Single},
	"net": {"unix": contender.Chatting, "unixpacket": contender.Passing, "bufio": contender.Buffered,
		"tcp": contender.Connecting, "unixgram": contender.Single, "pipe": contender.Single},
	"mdlayher": {"seqpacket": contender.Passing},
	"shmipc":   {"stream": contender.Asking},
}

// sizes are those of the units. An odd one does not divide a buffer's size.
var sizes = map[string][]int{
	"roundtrip": {1, 64, 64 << 10}, "stream": {1, 64, 64 << 10}, "buffered": {1, 77, 64 << 10}, "connect": {1},
	"files": {1}, "idle": {64}, "chatty": {64}, "busy": {64},
}

const (
	count        = 8
	rounds       = 3
	milliseconds = 10
)

func TestEachContenderDoesItsWorks(t *testing.T) {
	bin := build(t)
	for program, variants := range programs {
		for variant, works := range variants {
			for _, work := range works {
				for _, size := range sizes[work] {
					t.Run(fmt.Sprint(program, "/", variant, "/", work, "/", size), func(t *testing.T) {
						test(t, filepath.Join(bin, program), variant, work, size)
					})
				}
			}
		}
	}
}

func TestWorkThatAContenderDoesNotDoIsExitStatus2(t *testing.T) {
	bin := build(t)
	for _, tt := range []struct{ program, variant, work, size string }{
		{"ipc", "none", "roundtrip", "1"}, {"ipc", "bufio", "stream", "1"}, {"ipc", "datagram", "files", "1"},
		{"ipc", "channelbatch", "roundtrip", "1"}, {"shmipc", "stream", "connect", "1"},
		{"net", "tcp", "files", "1"}, {"net", "pipe", "connect", "1"}, {"mdlayher", "seqpacket", "buffered", "1"},
	} {
		for _, role := range []string{"server", "client"} {
			cmd := exec.Command(filepath.Join(bin, tt.program), role, tt.variant, tt.work, tt.size, "1", "address")
			out, err := cmd.CombinedOutput()
			if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != 2 || len(out) == 0 {
				t.Errorf("%v: want exit status 2 and a reason, got %v, %q", cmd.Args, err, out)
			}
		}
	}
}

// build builds all contenders, and returns the folder where they are.
func build(t *testing.T) string {
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", dir, "./...").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

func test(t *testing.T, program, variant, work string, size int) {
	dir := t.TempDir()
	arguments := []string{variant, work, strconv.Itoa(size), strconv.Itoa(count), filepath.Join(dir, "address")}
	var serverEnds, clientEnds []*os.File
	if variant == "pipe" {
		serverEnds, clientEnds = pipes(t)
	}
	server := start(t, program, append([]string{"server"}, arguments...), serverEnds)
	client := start(t, program, append([]string{"client"}, arguments...), clientEnds)
	resting := work == "idle" || work == "chatty"
	// A runtime.Pinner allocates for more than five messages.
	lean := filepath.Base(program) == "ipc" && variant != "channelbatch" && work != "connect" && work != "files" && !resting
	least := false // whether there was a round without allocations
	before, all := server.allocations(t), 0
	for range rounds {
		client.ask(t, milliseconds)
		var operations, nanoseconds, allocations int
		client.answer(t, &operations, &nanoseconds, &allocations)
		if resting {
			continue
		}
		all += operations
		if operations < 1 || nanoseconds < milliseconds*1e6 {
			t.Errorf("%d operations in %d ns", operations, nanoseconds)
		}
		// The runtime allocates for itself now and then, an operation in every round.
		if float64(allocations) < max(2, 0.01*float64(operations)) {
			least = true
		}
	}
	if n := server.allocations(t) - before; lean && float64(n) >= max(50, 0.01*float64(all)) {
		t.Errorf("the server makes %d allocations in %d operations", n, all)
	}
	if lean && !least {
		t.Error("the client allocates in every round")
	}
	client.stop(t)
	server.stop(t)
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// pipes returns the ends of two pipes, one for each direction.
func pipes(t *testing.T) (server, client []*os.File) {
	fromClient, toServer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	fromServer, toClient, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return []*os.File{fromClient, toClient}, []*os.File{fromServer, toServer}
}

type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
}

// start starts a process, and waits until it is ready. The files are closed here.
func start(t *testing.T, program string, arguments []string, files []*os.File) *process {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, program, arguments...)
	cmd.Stderr = t.Output()
	cmd.ExtraFiles = files
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		f.Close()
	}
	p := &process{cmd, stdin, bufio.NewReader(stdout)}
	if line, err := p.stdout.ReadString('\n'); line != "ready\n" {
		t.Fatalf("%v: want ready, got %q, %v", cmd.Args, line, err)
	}
	return p
}

func (p *process) ask(t *testing.T, n int) {
	if _, err := fmt.Fprintln(p.stdin, n); err != nil {
		t.Fatal(err)
	}
}

func (p *process) answer(t *testing.T, numbers ...any) {
	line, err := p.stdout.ReadString('\n')
	if err != nil {
		t.Fatalf("%v: %v", p.cmd.Args, err)
	}
	if _, err := fmt.Sscanln(line, numbers...); err != nil {
		t.Fatalf("%v: want %d numbers, got %q", p.cmd.Args, len(numbers), line)
	}
}

// allocations returns the number of a server's allocations.
func (p *process) allocations(t *testing.T) (n int) {
	p.ask(t, 0)
	p.answer(t, &n)
	return n
}

func (p *process) stop(t *testing.T) {
	p.stdin.Close()
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("%v: %v", p.cmd.Args, err)
	}
}
