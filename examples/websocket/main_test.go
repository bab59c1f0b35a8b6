package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

// A test runs this program again as the server and as clients.
func TestMain(m *testing.M) {
	if os.Getenv("LIPC_TEST_EXAMPLE") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A program is one that runs, and what it reads and prints.
type program struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner
	last  *strings.Builder
}

func start(t *testing.T, args ...string) *program {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, cmd: exec.Command(executable, args...), last: new(strings.Builder)}
	p.cmd.Env = append(os.Environ(), "LIPC_TEST_EXAMPLE=1", "GORACE=atexit_sleep_ms=0") // no wait at the end
	p.cmd.Stderr = p.last
	p.stdin, err = p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.lines = bufio.NewScanner(stdout)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill(); p.cmd.Wait() })
	return p
}

func (p *program) expect(beginning string) {
	p.t.Helper()
	if !p.lines.Scan() || !strings.HasPrefix(p.lines.Text(), beginning) {
		p.t.Fatalf("got %q, want %q", p.lines.Text(), beginning)
	}
}

func (p *program) say(line string) {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.stdin, line); err != nil {
		p.t.Fatal(err)
	}
}

// end waits for the program to end.
func (p *program) end() error {
	for p.lines.Scan() {
	}
	return p.cmd.Wait()
}

func TestWebSocketsSayWhoAsksAndEndWithTheServer(t *testing.T) {
	dir, err := os.MkdirTemp("", "lipc")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	name := fmt.Sprint("user:lipc-websocket-", os.Getpid())
	server := start(t, "serve", name)
	server.expect("listening on " + name)
	first, second := start(t, "talk", name), start(t, "talk", name)
	for _, client := range []*program{first, second} {
		client.expect(fmt.Sprintf("welcome, process %d of user ", client.cmd.Process.Pid))
		for i := range 10 {
			client.say(fmt.Sprint("line ", i))
			client.expect(fmt.Sprint("line ", i))
		}
	}
	for range 20 {
		first.stdin.Close()
		if err := first.end(); err != nil {
			t.Fatalf("a client whose lines end: %v, %s", err, first.last)
		}
		first = start(t, "talk", name)
		first.say("the only line")
	}
	if runtime.GOOS == "windows" {
		return // a process there cannot be asked to end, only killed
	}
	if err := server.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := second.end(); err == nil || !strings.Contains(second.last.String(), "the server ends") {
		t.Fatalf("a client whose server ends: %v, %s", err, second.last)
	}
	if err := server.end(); err != nil {
		t.Fatalf("the server: %v, %s", err, server.last)
	}
}
