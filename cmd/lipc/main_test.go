package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// The tests are of real processes: this program is the command when that variable is set, or a small program that the
// command runs, if it is called by the name of one.
const commandVariable = "LIPC_TEST_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(commandVariable) == "" {
		for _, s := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
			if signal.Ignored(s) { // as for what a shell runs in the background, and the processes would inherit it
				signal.Notify(make(chan os.Signal, 1), s)
			}
		}
		os.Exit(m.Run())
	}
	if len(os.Args) > 1 && programs[os.Args[1]] != nil {
		if err := programs[os.Args[1]](os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, os.Args[1]+":", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(start(os.Args[1:]))
}

// A process runs the command. Its standard input is in, unless the test gave it another.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	in     *os.File
	out    *bufio.Reader
	output *os.File // what out reads from
	said   *saying  // standard error
	ended  bool
}

// A saying collects what a process says.
type saying struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (s *saying) Write(b []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.text.Write(b)
}

func (s *saying) String() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.text.String()
}

// begin starts the command. It ends with the test at the latest.
func begin(t *testing.T, arguments ...string) *process {
	t.Helper()
	return beginWith(t, func(*exec.Cmd) {}, arguments...)
}

// beginWith is begin of what is first completed.
func beginWith(t *testing.T, complete func(*exec.Cmd), arguments ...string) *process {
	t.Helper()
	p, err := tryBegin(t, complete, arguments)
	for range 3 {
		if err == nil || !startsAtTimes(err) {
			break
		}
		p, err = tryBegin(t, complete, arguments)
	}
	require.NoError(t, err)
	t.Cleanup(p.close)
	return p
}

func tryBegin(t *testing.T, complete func(*exec.Cmd), arguments []string) (*process, error) {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	p := &process{t: t, cmd: exec.Command(program, arguments...), said: &saying{}}
	p.cmd.Env = append(os.Environ(), commandVariable+"=1")
	if os.Getenv("GORACE") == "" { // with the race detector it takes a second to end otherwise
		p.cmd.Env = append(p.cmd.Env, "GORACE=atexit_sleep_ms=0")
	}
	p.cmd.WaitDelay = patience
	stdin, in, err := os.Pipe()
	require.NoError(t, err)
	output, stdout, err := os.Pipe()
	require.NoError(t, err)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = stdin, stdout, p.said
	p.in, p.output, p.out = in, output, bufio.NewReader(output)
	complete(p.cmd)
	err = p.cmd.Start()
	stdin.Close()
	stdout.Close()
	if err != nil {
		in.Close()
		output.Close()
	}
	return p, err
}

// patience is how long a test waits for what must come.
const (
	patience = 60 * time.Second
	tick     = time.Millisecond
)

// line sends a line to standard input.
func (p *process) line(text string) {
	p.t.Helper()
	_, err := io.WriteString(p.in, text+"\n")
	require.NoError(p.t, err)
}

// expect wants a line from standard output.
func (p *process) expect(text string) {
	p.t.Helper()
	line, err := p.out.ReadString('\n')
	require.NoError(p.t, err, "%s", p.said)
	require.Equal(p.t, text+"\n", line)
}

// rest is what still comes from standard output.
func (p *process) rest() string {
	p.t.Helper()
	b, err := io.ReadAll(p.out)
	require.NoError(p.t, err)
	return string(b)
}

// code waits for the end, and returns the exit code.
func (p *process) code() int {
	p.t.Helper()
	p.ended = true
	late := time.AfterFunc(patience, func() { p.cmd.Process.Kill() })
	defer late.Stop()
	if err := p.cmd.Wait(); !errors.As(err, new(*exec.ExitError)) {
		require.NoError(p.t, err)
	}
	return p.cmd.ProcessState.ExitCode()
}

// ends wants an exit code.
func (p *process) ends(code int) {
	p.t.Helper()
	require.Equal(p.t, code, p.code(), "%s: %s", p.cmd.Args[1:], p.said)
}

// says waits until standard error holds a text.
func (p *process) says(text string) {
	p.t.Helper()
	require.Eventually(p.t, func() bool { return strings.Contains(p.said.String(), text) }, patience, tick,
		"no %q", text)
}

// kill ends the process as a crash would.
func (p *process) kill() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Kill())
	p.code()
}

// close ends what the test has not.
func (p *process) close() {
	p.in.Close()
	p.output.Close()
	if !p.ended {
		p.ended = true
		stopped := time.AfterFunc(patience, func() { p.cmd.Process.Kill() })
		defer stopped.Stop()
		_ = stop(p.cmd.Process)
		_ = p.cmd.Wait()
	}
}

// A result is what a command leaves.
type result struct {
	code      int
	out, said string
}

// runCommand runs the command to its end.
func runCommand(t *testing.T, input string, arguments ...string) result {
	t.Helper()
	return runWith(t, input, func(*exec.Cmd) {}, arguments...)
}

func runWith(t *testing.T, input string, complete func(*exec.Cmd), arguments ...string) result {
	t.Helper()
	p := beginWith(t, complete, arguments...)
	go func() {
		_, _ = io.WriteString(p.in, input)
		p.in.Close()
	}()
	out := p.rest()
	return result{p.code(), out, p.said.String()}
}

// passes wants a command to work, and returns what it printed.
func passes(t *testing.T, input string, arguments ...string) string {
	t.Helper()
	r := runCommand(t, input, arguments...)
	require.Equal(t, 0, r.code, "%v: %s", arguments, r.said)
	require.Empty(t, r.said)
	return r.out
}

// fails wants a command to fail, with that in its message, and nothing else.
func fails(t *testing.T, code int, message string, arguments ...string) {
	t.Helper()
	r := runCommand(t, "", arguments...)
	require.Equal(t, code, r.code, "%v: %s", arguments, r.said)
	require.Contains(t, r.said, message)
	require.True(t, strings.HasPrefix(r.said, "lipc: "), r.said)
	require.Equal(t, 1, strings.Count(r.said, "\n"), r.said)
}

// self is a command line of this program as one of its programs.
func self(t *testing.T, program string, arguments ...string) []string {
	t.Helper()
	require.Contains(t, programs, program)
	path, err := os.Executable()
	require.NoError(t, err)
	return append([]string{path, program}, arguments...)
}

// words is a command line of pieces.
func words(pieces ...any) []string {
	var all []string
	for _, piece := range pieces {
		switch piece := piece.(type) {
		case string:
			all = append(all, piece)
		case []string:
			all = append(all, piece...)
		}
	}
	return all
}

// soon is how tests dial: the other process may not be so far.
const soon = "-timeout=60s"

// dial connects to a name as soon as somebody listens there, until the test ends.
func dial(t *testing.T, name string) *ipc.Conn {
	t.Helper()
	d := dialer{timeout: patience}
	c, err := d.dial(t.Context(), kind{}, parse(t, name))
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c.(stream).conn()
}

// listenHere listens in this process, until the test ends.
func listenHere(t *testing.T, name string) *ipc.Listener {
	t.Helper()
	l, err := ipc.Listen(parse(t, name))
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

func accept(t *testing.T, l *ipc.Listener) *ipc.Conn {
	t.Helper()
	c, err := l.AcceptConn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

func parse(t *testing.T, text string) ipc.Name {
	t.Helper()
	name, err := ipc.ParseName(text)
	require.NoError(t, err)
	return name
}

// slower reports whether less of what takes long must do: under the race detector, and on Wine.
func slower() bool {
	info, ok := debug.ReadBuildInfo()
	raceDetector := debug.BuildSetting{Key: "-race", Value: "true"}
	return runtime.GOOS == "windows" || ok && slices.Contains(info.Settings, raceDetector)
}

// folder returns a folder of the test's own, for files.
func folder(t *testing.T) string {
	t.Helper()
	return leakcheck.Dir(t)
}

// write writes a file into a folder, and returns its path.
func write(t *testing.T, folder, name, content string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	return path
}

// requireFile wants a file to hold that.
func requireFile(t *testing.T, content, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, content, string(b))
}

// requireFiles wants those files in a folder, and no others.
func requireFiles(t *testing.T, folder string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	found := []string{}
	for _, entry := range entries {
		found = append(found, entry.Name())
	}
	slices.Sort(names)
	require.Equal(t, append([]string{}, names...), found)
}

// withOutput gives a command a file as standard output.
func withOutput(f *os.File) func(*exec.Cmd) {
	return func(cmd *exec.Cmd) { cmd.Stdout = f }
}

// withInput gives a command a file as standard input.
func withInput(f *os.File) func(*exec.Cmd) {
	return func(cmd *exec.Cmd) { cmd.Stdin = f }
}

// newNamespaced returns a name without a file that nobody else uses.
func newNamespaced() string { return fmt.Sprintf("@lipc-%d-%d", os.Getpid(), nameNumber.Add(1)) }

var nameNumber atomic.Int64
