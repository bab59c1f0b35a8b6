package tests

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// A test that needs other processes runs this same program again, with the name of a child in a variable. A child reads
// orders line by line from its standard input, answers each with a line, and ends when its input does.
type child func(args []string, orders *bufio.Scanner) error

const childVariable = "LIPC_TEST_CHILD"

func TestMain(m *testing.M) {
	name := os.Getenv(childVariable)
	if name == "" {
		os.Exit(m.Run())
	}
	if err := children[name](os.Args[1:], bufio.NewScanner(os.Stdin)); err != nil {
		fmt.Println(name+":", err)
		os.Exit(1)
	}
}

// A process runs a child.
type process struct {
	t       *testing.T
	cmd     *exec.Cmd
	orders  io.WriteCloser
	answers *bufio.Scanner
	ended   bool
}

// start runs a child. The process ends with the test at the latest.
func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	return startWith(t, func(*exec.Cmd) {}, name, args...)
}

// startWith is start, with a function that changes the command before it runs.
func startWith(t *testing.T, complete func(*exec.Cmd), name string, args ...string) *process {
	t.Helper()
	p, err := tryStart(t, complete, name, args)
	for range 3 {
		if err == nil || !startsAtTimes(err) {
			break
		}
		p, err = tryStart(t, complete, name, args)
	}
	require.NoError(t, err)
	t.Cleanup(func() { p.end() })
	return p
}

// startEcho starts a server, which sends back what it receives.
func startEcho(t *testing.T, name ipc.Name) *process {
	t.Helper()
	server := start(t, "echo", name.String())
	server.expect("listening")
	return server
}

// childCommand returns a command that runs a child.
func childCommand(t *testing.T, name string, args []string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	if emulator := os.Getenv("LIPC_TEST_EMULATOR"); emulator != "" { // which runs this process too: see tests/systems
		program, args = emulator, append([]string{program}, args...)
	}
	cmd := exec.Command(program, args...)
	cmd.Env = environment(childVariable + "=" + name)
	cmd.Stderr = os.Stderr
	return cmd
}

func tryStart(t *testing.T, complete func(*exec.Cmd), name string, args []string) (*process, error) {
	t.Helper()
	cmd := childCommand(t, name, args)
	complete(cmd)
	p, err := &process{t: t, cmd: cmd}, error(nil)
	p.orders, err = cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	p.answers = bufio.NewScanner(stdout)
	return p, cmd.Start()
}

// environment returns the environment for a process that a test starts, with one more variable.
func environment(variable string) []string {
	all := append(os.Environ(), variable)
	if os.Getenv("GORACE") == "" {
		all = append(all, "GORACE=atexit_sleep_ms=0") // otherwise it takes a second to end with the race detector
	}
	return all
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

// end lets the process finish, and requires that it succeeds.
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

// outputOf returns the lines that the process still prints.
func outputOf(p *process) io.Reader {
	var b bytes.Buffer
	for p.answers.Scan() {
		b.WriteString(p.answers.Text() + "\n")
	}
	return &b
}

var children = map[string]child{
	"echo":           echoChild,
	"listener":       listenerChild,
	"dialer":         dialerChild,
	"idle":           idleChild,
	"dial and read":  dialAndReadChild,
	"flood":          floodChild,
	"client":         clientChild,
	"slow reader":    slowReaderChild,
	"heir":           heirChild,
	"pipes":          pipesChild,
	"names":          namesChild,
	"channel stress": channelStressChild,
	"channel peer":   channelPeerChild,
	"closed channel": closedChannelChild,
}

// systemChildren has those that only this system can run.
func init() { maps.Copy(children, systemChildren) }

// echoChild serves NAME, and answers "listening". Each connection gets back what it sends.
func echoChild(args []string, orders *bufio.Scanner) error {
	l, err := listenText(args[0])
	if err != nil {
		return err
	}
	go serveEcho(l)
	fmt.Println("listening")
	orders.Scan()
	return l.Close()
}

// listenText listens on a name in its text form.
func listenText(text string) (*ipc.Listener, error) {
	name, err := ipc.ParseName(text)
	if err != nil {
		return nil, err
	}
	return ipc.Listen(name)
}

// dialText dials a name in its text form.
func dialText(text string) (*ipc.Conn, error) {
	name, err := ipc.ParseName(text)
	if err != nil {
		return nil, err
	}
	return ipc.Dial(context.Background(), name)
}

// serveEcho serves until the listener is closed and its clients are gone.
func serveEcho(l net.Listener) {
	var group sync.WaitGroup
	defer group.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		group.Go(func() {
			defer c.Close()
			io.Copy(c, c)
		})
	}
}

// listenerChild answers "listen NAME" with "won", or with "in use"; and "close" with "closed".
func listenerChild(_ []string, orders *bufio.Scanner) error {
	var l *ipc.Listener
	served := make(chan bool)
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
				go func() {
					serveEcho(l)
					served <- true
				}()
			case errors.Is(err, syscall.EADDRINUSE):
				fmt.Println("in use")
			default:
				return err
			}
		case "close":
			if err := l.Close(); err != nil {
				return err
			}
			<-served // on Windows connections keep a name in use
			fmt.Println("closed")
		}
	}
	return nil
}

// dialerChild answers "dial NAME COUNT" with "served COUNT" after so many simultaneous dials, each with an echo.
func dialerChild(_ []string, orders *bufio.Scanner) error {
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

// idleChild serves NAME, answers "listening", and after COUNT connections "threads N". It keeps them all.
func idleChild(args []string, orders *bufio.Scanner) error {
	var count int
	if _, err := fmt.Sscan(args[1], &count); err != nil {
		return err
	}
	l, err := listenText(args[0])
	if err != nil {
		return err
	}
	defer l.Close()
	runtime.GOMAXPROCS(4) // the runtime has threads for each processor, which do not count
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
	for orders.Scan() { // "end COUNT" after the other side closed so many: their readers must see the end
		var closed int
		if _, err := fmt.Sscanf(orders.Text(), "end %d", &closed); err != nil {
			return err
		}
		for range closed {
			if err := <-ended; err != io.EOF {
				return fmt.Errorf("an idle reader got %v, wanted EOF", err)
			}
		}
		fmt.Println("ended", closed)
	}
	return nil
}

// dialAndReadChild dials each NAME that it is ordered to, and answers with how that ended.
func dialAndReadChild(_ []string, orders *bufio.Scanner) error {
	for orders.Scan() {
		name, err := ipc.ParseName(orders.Text())
		if err != nil {
			return err
		}
		fmt.Println(dialAndRead(name))
	}
	return nil
}

// floodChild answers "flooding", and dials NAME again and again.
func floodChild(args []string, orders *bufio.Scanner) error {
	name, err := ipc.ParseName(args[0])
	if err != nil {
		return err
	}
	fmt.Println("flooding")
	return untilOrdered(orders, func() error {
		if c, err := ipc.Dial(context.Background(), name); err == nil {
			c.Close()
		}
		return nil
	})
}

// untilOrdered repeats a step until there is an order, or a step fails.
func untilOrdered(orders *bufio.Scanner, step func() error) error {
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
			if err := step(); err != nil {
				return err
			}
		}
	}
}

// dialAndRead connects and reads, and returns "EOF", "data", or the number of the error.
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

// clientChild dials each NAME that it is ordered to, answers "connected" or with the error, and keeps the connection.
func clientChild(_ []string, orders *bufio.Scanner) error {
	for orders.Scan() {
		c, err := dialText(orders.Text())
		if err != nil {
			fmt.Println(err)
			continue
		}
		defer c.Close()
		fmt.Println("connected")
	}
	return nil
}

// namesChild answers "location NAME" with where the name is; "listen NAME" with "listening", or the error, and then
// each connection with what it sent up to its end, or "nothing"; "dial NAME" with "connected", or the error. At "setuid"
// the user that it runs as becomes the one that started it, too.
func namesChild(_ []string, orders *bufio.Scanner) error {
	for orders.Scan() {
		order, text, _ := strings.Cut(orders.Text(), " ")
		if order == "setuid" {
			fmt.Println(setRealUser())
			continue
		}
		name, err := ipc.ParseName(text)
		if err != nil {
			fmt.Println(err)
			continue
		}
		answer := ""
		switch order {
		case "location":
			answer, err = name.Location()
		case "listen":
			answer = "listening"
			var l *ipc.Listener
			lc := ipc.ListenConfig{Mode: 0o666}
			if l, err = lc.Listen(context.Background(), name); err == nil {
				defer l.Close()
				go printReceived(l)
			}
		case "dial":
			answer = "connected"
			var c *ipc.Conn
			if c, err = ipc.Dial(context.Background(), name); err == nil {
				defer c.Close()
			}
		}
		if err != nil {
			answer = err.Error()
		}
		fmt.Println(answer)
	}
	return nil
}

// printReceived prints what each connection sent.
func printReceived(l *ipc.Listener) {
	for c := range l.Incoming(context.Background()) {
		text, err := io.ReadAll(c)
		c.Close()
		switch {
		case err != nil:
			fmt.Println(err)
		case len(text) == 0:
			fmt.Println("nothing")
		default:
			fmt.Println(string(text))
		}
	}
}

// slowReaderChild dials NAME, and answers "connected". It answers the next order with how many bytes it has read up to
// the end, in small pieces, and with their checksum.
func slowReaderChild(args []string, orders *bufio.Scanner) error {
	c, err := dialText(args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	fmt.Println("connected")
	orders.Scan()
	sum := sha256.New()
	n, err := io.CopyBuffer(struct{ io.Writer }{sum}, struct{ io.Reader }{c}, make([]byte, 777))
	if err != nil {
		return err
	}
	fmt.Printf("%d %x\n", n, sum.Sum(nil))
	return nil
}
