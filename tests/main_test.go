//go:build unix

package tests

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// A test that needs other processes runs this same program again, in a role. A role reads orders line by line from its
// standard input, answers each with a line, and ends when its input does.
const roleVariable = "LIPC_TEST_ROLE"

type role func(args []string, orders *bufio.Scanner) error

func TestMain(m *testing.M) {
	name := os.Getenv(roleVariable)
	if name == "" {
		os.Exit(m.Run())
	}
	if err := roles[name](os.Args[1:], bufio.NewScanner(os.Stdin)); err != nil {
		fmt.Println(name+":", err)
		os.Exit(1)
	}
}

// A process is one in a role.
type process struct {
	t       *testing.T
	cmd     *exec.Cmd
	orders  io.WriteCloser
	answers *bufio.Scanner
	ended   bool
}

// start runs a role. The process ends with the test at the latest.
func start(t *testing.T, role string, args ...string) *process {
	t.Helper()
	return startAs(t, nil, role, args...)
}

// startAs runs a role as another user (nil: as this one).
func startAs(t *testing.T, user *syscall.Credential, role string, args ...string) *process {
	t.Helper()
	return startWith(t, user, func(*exec.Cmd) {}, role, args...)
}

// startWith is startAs of a command that is first completed.
func startWith(t *testing.T, user *syscall.Credential, complete func(*exec.Cmd), role string, args ...string) *process {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(program, args...)
	if user != nil { // who may not be able to read the program where it is
		cmd.Path = filepath.Join(leakcheck.Dir(t), "program")
		copyFile(t, program, cmd.Path)
		require.NoError(t, os.Chmod(filepath.Dir(cmd.Path), 0o755))
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: user}
	}
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	if os.Getenv("GORACE") == "" {
		cmd.Env = append(cmd.Env, "GORACE=atexit_sleep_ms=0") // with the race detector it takes a second to end otherwise
	}
	cmd.Stderr = os.Stderr
	complete(cmd)
	p := &process{t: t, cmd: cmd}
	p.orders, err = cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	p.answers = bufio.NewScanner(stdout)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { p.end() })
	return p
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, content, 0o755))
}

// order sends an order.
func (p *process) order(format string, args ...any) {
	p.t.Helper()
	_, err := fmt.Fprintf(p.orders, format+"\n", args...)
	require.NoError(p.t, err)
}

// answer waits for the next line.
func (p *process) answer() string {
	p.t.Helper()
	require.True(p.t, p.answers.Scan(), "the process ended: %v", p.answers.Err())
	return p.answers.Text()
}

// expect waits for a line and compares it.
func (p *process) expect(line string) {
	p.t.Helper()
	require.Equal(p.t, line, p.answer())
}

// kill ends the process as a crash would.
func (p *process) kill() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Kill())
	p.cmd.Wait()
	p.ended = true
}

// end lets the process finish, which must go well.
func (p *process) end() {
	p.t.Helper()
	if p.ended {
		return
	}
	p.ended = true
	p.orders.Close()
	rest, _ := io.ReadAll(outputOf(p))
	require.NoError(p.t, p.cmd.Wait(), "%s", rest)
}

// outputOf is what the process still prints.
func outputOf(p *process) io.Reader {
	var b bytes.Buffer
	for p.answers.Scan() {
		b.WriteString(p.answers.Text() + "\n")
	}
	return &b
}

// anotherUser returns credentials to run a process with, which takes root. In CI that must be there.
func anotherUser(t *testing.T) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		require.Empty(t, os.Getenv("CI"), "this test needs root, to become another user")
		t.Skip("needs root, to become another user")
	}
	return &syscall.Credential{Uid: 65534, Gid: 65534}
}

var roles = map[string]role{
	"echo":   echoRole,
	"racer":  racerRole,
	"dialer": dialerRole,
	"holder": holderRole,
	"stat":   statRole,
	"flood":  floodRole,

	"carrier":     carrierRole,
	"in flight":   inFlightRole,
	"receiver":    receiverRole,
	"signals":     signalsRole,
	"pipes":       pipesRole,
	"fifo writer": fifoWriterRole,
	"activated":   activatedRole,
}

// echoRole serves NAME, and answers "listening". Each connection gets back what it sends.
func echoRole(args []string, orders *bufio.Scanner) error {
	name, err := ipc.ParseName(args[0])
	if err != nil {
		return err
	}
	l, err := ipc.Listen(name)
	if err != nil {
		return err
	}
	go serveEcho(l)
	fmt.Println("listening")
	orders.Scan()
	return l.Close()
}

// serveEcho serves until the listener is closed.
func serveEcho(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			io.Copy(c, c)
		}()
	}
}

// racerRole answers "listen NAME" with "won", or with "in use"; and "close" with "closed".
func racerRole(_ []string, orders *bufio.Scanner) error {
	var l *ipc.Listener
	for orders.Scan() {
		order, text, _ := strings.Cut(orders.Text(), " ")
		switch order {
		case "listen":
			name, err := ipc.ParseName(text)
			if err != nil {
				return err
			}
			switch l, err = ipc.Listen(name); {
			case err == nil:
				fmt.Println("won")
				go serveEcho(l)
			case errors.Is(err, syscall.EADDRINUSE):
				fmt.Println("in use")
			default:
				return err
			}
		case "close":
			if err := l.Close(); err != nil {
				return err
			}
			fmt.Println("closed")
		}
	}
	return nil
}

// dialerRole answers "dial NAME COUNT" with "served COUNT" after so many simultaneous dials, each with an echo.
func dialerRole(_ []string, orders *bufio.Scanner) error {
	for orders.Scan() {
		var text string
		var count int
		if _, err := fmt.Sscanf(orders.Text(), "dial %s %d", &text, &count); err != nil {
			return err
		}
		name, err := ipc.ParseName(text)
		if err != nil {
			return err
		}
		results := make(chan error, count)
		for range count {
			go func() { results <- echoOnce(name) }()
		}
		for range count {
			if err := <-results; err != nil {
				return err
			}
		}
		fmt.Println("served", count)
	}
	return nil
}

// echoOnce dials, and expects its bytes back.
func echoOnce(name ipc.Name) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := ipc.Dial(ctx, name)
	if err != nil {
		return err
	}
	defer c.Close()
	sent, got := []byte("over there and back"), make([]byte, 19)
	if _, err := c.Write(sent); err != nil {
		return err
	}
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if !bytes.Equal(sent, got) {
		return fmt.Errorf("sent %q, got %q back", sent, got)
	}
	return nil
}

// holderRole serves NAME, answers "listening", and after COUNT connections "threads N". It keeps them all.
func holderRole(args []string, orders *bufio.Scanner) error {
	var count int
	if _, err := fmt.Sscan(args[1], &count); err != nil {
		return err
	}
	name, err := ipc.ParseName(args[0])
	if err != nil {
		return err
	}
	l, err := ipc.Listen(name)
	if err != nil {
		return err
	}
	defer l.Close()
	runtime.GOMAXPROCS(4) // the runtime has threads for each processor, which are not what is counted
	fmt.Println("listening")
	ended := make(chan error, count)
	for range count {
		c, err := l.AcceptConn(context.Background())
		if err != nil {
			return err
		}
		defer c.Close()
		go func() { // each has a reader that waits
			_, err := c.Read(make([]byte, 1))
			ended <- err
		}()
	}
	fmt.Println("threads", leakcheck.Threads())
	for orders.Scan() { // "end" after the other side closed: all readers must see the end
		for range count {
			if err := <-ended; err != io.EOF {
				return fmt.Errorf("an idle reader got %v, wanted EOF", err)
			}
		}
		fmt.Println("all ended")
	}
	return nil
}

// statRole dials each NAME that it is ordered to, and answers with how that ended.
func statRole(_ []string, orders *bufio.Scanner) error {
	for orders.Scan() {
		name, err := ipc.ParseName(orders.Text())
		if err != nil {
			return err
		}
		fmt.Println(dialAndRead(name))
	}
	return nil
}

// floodRole answers "flooding", and dials NAME again and again.
func floodRole(args []string, orders *bufio.Scanner) error {
	name, err := ipc.ParseName(args[0])
	if err != nil {
		return err
	}
	fmt.Println("flooding")
	ended := make(chan struct{})
	go func() {
		orders.Scan()
		close(ended)
	}()
	for {
		select {
		case <-ended:
			return nil
		default:
			if c, err := ipc.Dial(context.Background(), name); err == nil {
				c.Close()
			}
		}
	}
}

// dialAndRead tells what a peer sees that connects and reads: "EOF", "data", or the error's number.
func dialAndRead(name ipc.Name) string {
	c, err := ipc.Dial(context.Background(), name)
	var number syscall.Errno
	if errors.As(err, &number) {
		return fmt.Sprintf("dial errno %d", int(number))
	}
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	switch _, err := c.Read(make([]byte, 1)); err {
	case nil:
		return "data"
	case io.EOF:
		return "EOF"
	default:
		return err.Error()
	}
}

func TestEveryTestChecksForLeaks(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		for _, declaration := range parsed.Decls {
			f, ok := declaration.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(f.Name.Name, "Test") || f.Name.Name == "TestMain" || f.Name.Name == t.Name() {
				continue
			}
			statement, _ := f.Body.List[0].(*ast.ExprStmt)
			require.NotNil(t, statement, "%s must begin with leakcheck.Start(t)", f.Name.Name)
			call, _ := statement.X.(*ast.CallExpr)
			require.NotNil(t, call, "%s must begin with leakcheck.Start(t)", f.Name.Name)
			selector, _ := call.Fun.(*ast.SelectorExpr)
			require.True(t, selector != nil && selector.Sel.Name == "Start",
				"%s must begin with leakcheck.Start(t)", f.Name.Name)
		}
	}
}

// newPath returns a name in a directory of the test's own.
func newPath(t *testing.T) ipc.Name {
	t.Helper()
	return ipc.Path(filepath.Join(leakcheck.Dir(t), "s"))
}

// newNamespaced returns a namespaced name that nobody else uses.
func newNamespaced(t *testing.T) ipc.Name {
	t.Helper()
	return ipc.Namespaced(fmt.Sprintf("lipc-%d-%d", os.Getpid(), time.Now().UnixNano()))
}

// listen listens, until the test ends.
func listen(t *testing.T, name ipc.Name) *ipc.Listener {
	t.Helper()
	l, err := ipc.Listen(name)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// dial dials; the connection is closed when the test ends.
func dial(t *testing.T, name ipc.Name) *ipc.Conn {
	t.Helper()
	c, err := ipc.Dial(t.Context(), name)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// pair makes two connections, closed when the test ends.
func pair(t *testing.T) (a, b *ipc.Conn) {
	t.Helper()
	a, b, err := ipc.Pair()
	require.NoError(t, err)
	t.Cleanup(func() {
		a.Close()
		b.Close()
	})
	return a, b
}

// requireNoAllocations wants operations that work, and allocate nothing.
func requireNoAllocations(t *testing.T, operations map[string]func() error) {
	t.Helper()
	for name, operation := range operations {
		require.NoError(t, operation(), name)
		require.Zero(t, testing.AllocsPerRun(1000, func() {
			if err := operation(); err != nil {
				t.Fatal(err)
			}
		}), name)
	}
}

// How long, and how often, a test looks for a state that nothing announces.
const (
	patience = 30 * time.Second
	tick     = time.Millisecond
)

// onLinux reports whether what Linux alone has can be tested.
const onLinux = runtime.GOOS == "linux"
