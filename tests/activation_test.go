//go:build unix

package tests

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// activatedChild answers "activate" with how many sockets and files of each kind and name a service manager passed, and
// serves them as serveActivated says; after "admit nobody" it prints why it refuses each client. It answers "close"
// with "closed", once it has closed them. To "listen NAME" and "messages NAME" it answers what the one listener listens
// on, greets a client with its process id, and closes the listener.
func activatedChild(_ []string, orders *bufio.Scanner) error {
	all := new(ipc.Activation)
	lc := new(ipc.ListenConfig)
	for orders.Scan() {
		if kind, name, found := strings.Cut(orders.Text(), " "); found && kind != "admit" {
			if err := listenActivated(lc, kind, ipc.Path(name)); err != nil {
				fmt.Println(err)
			}
			continue
		}
		switch orders.Text() {
		case "admit nobody":
			lc.Client = ipc.AnyOf()
			lc.Refused = func(_ ipc.Credentials, err error) { fmt.Println(err) }
		case "activate":
			a, err := lc.Activated()
			if err != nil {
				fmt.Println(err)
				continue
			}
			fmt.Println(summary(a))
			if len(a.Listeners)+len(a.Files) > 0 {
				all = a
				go serveActivated(a)
			}
		case "variables":
			fmt.Printf("%q %q %q\n", os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES"))
			output, err := exec.Command("sh", "-c", "env | grep -c ^LISTEN_").Output()
			fmt.Printf("%s %v\n", strings.TrimSpace(string(output)), err)
		case "inherited": // how many of the passed descriptors child processes inherit
			count := 0
			for fd := uintptr(3); fd < 10; fd++ {
				flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_GETFD, 0)
				if errno == 0 && flags&syscall.FD_CLOEXEC == 0 {
					count++
				}
			}
			fmt.Println(count)
		case "close":
			if err := closeActivated(all); err != nil {
				return err
			}
			fmt.Println("closed")
		}
	}
	return nil
}

func summary(a *ipc.Activation) string {
	var words []string
	for name, all := range a.Listeners {
		words = append(words, fmt.Sprintf("%d stream listeners %q", len(all), name))
	}
	for name, all := range a.MessageListeners {
		words = append(words, fmt.Sprintf("%d message listeners %q", len(all), name))
	}
	for name, all := range a.Datagrams {
		words = append(words, fmt.Sprintf("%d datagram sockets %q", len(all), name))
	}
	for name, all := range a.Files {
		words = append(words, fmt.Sprintf("%d files %q", len(all), name))
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

// serveActivated answers each connection and each datagram with the name and the number of the socket that it came to.
// The file "tcp" is a listener; all other files are read, and printed.
func serveActivated(a *ipc.Activation) {
	for name, all := range a.Listeners {
		for i, l := range all {
			go serveGreeting(l, fmt.Sprint(name, i))
		}
	}
	for name, all := range a.MessageListeners {
		for i, l := range all {
			go func() {
				for c, err := range l.Incoming(context.Background()) {
					if err == nil {
						c.Send(fmt.Append(nil, name, i))
						c.Close()
					}
				}
			}()
		}
	}
	for name, all := range a.Datagrams {
		for i, c := range all {
			go func() {
				for {
					_, from, err := c.ReceiveFrom(make([]byte, 100))
					if err != nil {
						return
					}
					c.SendTo(fmt.Append(nil, name, i), from)
				}
			}()
		}
	}
	for name, all := range a.Files {
		go func() {
			for i, f := range all {
				if name == "tcp" {
					if l, err := net.FileListener(f); err == nil {
						go serveGreeting(l, fmt.Sprint(name, i))
					}
					continue
				}
				text, err := io.ReadAll(f)
				fmt.Println(name, i, f.Name(), string(text), err)
			}
		}()
	}
}

func serveGreeting(l net.Listener, greeting string) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		fmt.Fprint(c, greeting)
		c.Close()
	}
}

func closeActivated(a *ipc.Activation) (err error) {
	for all := range maps.Values(a.Listeners) {
		for _, l := range all {
			err = errors.Join(err, l.Close())
		}
	}
	for all := range maps.Values(a.MessageListeners) {
		for _, l := range all {
			err = errors.Join(err, l.Close())
		}
	}
	for all := range maps.Values(a.Datagrams) {
		for _, c := range all {
			err = errors.Join(err, c.Close())
		}
	}
	return err
}

// startActivated runs the child with descriptors from 3 on, and with the variables that announce them.
func startActivated(t *testing.T, files []*os.File, variables ...string) *process {
	t.Helper()
	return startWith(t, activating(files, variables...), "activated")
}

// activating returns a function that gives a command descriptors from 3 on, and the variables that announce them.
func activating(files []*os.File, variables ...string) func(*exec.Cmd) {
	return func(cmd *exec.Cmd) {
		cmd.ExtraFiles = files
		cmd.Env = append(cmd.Env, variables...)
		cmd.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
		cmd.Path = "/bin/sh"
	}
}

func TestWhatAServiceManagerPassedIsSortedAndServed(t *testing.T) {
	leakcheck.Start(t)
	var files []*os.File
	var names []string
	add := func(name string, f *os.File, err error) {
		t.Helper()
		require.NoError(t, err)
		t.Cleanup(func() { f.Close() })
		files, names = append(files, f), append(names, name)
	}
	addFile := func(name string, c interface{ File() (*os.File, error) }) {
		t.Helper()
		f, err := c.File()
		add(name, f, err)
	}
	streams := []*ipc.Listener{listen(t, newPath(t)), listen(t, newNamespaced(t))}
	addFile("web", streams[0])
	datagrams := listenDatagram(t, newPath(t))
	addFile("log", datagrams)
	addFile("web", streams[1])
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer tcp.Close()
	addFile("tcp", tcp.(*net.TCPListener))
	a, b := pair(t)
	addFile("connection", a)
	require.NoError(t, a.Close())
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer w.Close()
	add("web", r, nil)
	var messages *ipc.MessageListener
	if runtime.GOOS != "darwin" {
		messages, err = ipc.ListenMessage(newPath(t))
		require.NoError(t, err)
		defer messages.Close()
		addFile("", messages)
	}

	p := startActivated(t, files, fmt.Sprint("LISTEN_FDS=", len(files)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
	closeAll(files)
	p.order("inherited")
	p.expect(fmt.Sprint(len(files)))
	p.order("activate")
	want := `1 datagram sockets "log", 1 files "connection", 1 files "tcp", 1 files "web", ` +
		`1 message listeners "", 2 stream listeners "web"`
	if messages == nil {
		want = strings.Replace(want, `1 message listeners "", `, "", 1)
	}
	p.expect(want)
	p.order("inherited")
	p.expect("0")
	p.order("variables")
	p.expect(`"" "" ""`)
	p.expect("0 exit status 1")
	p.order("activate") // a second call finds nothing
	p.expect("")

	for i, l := range streams {
		greeting, err := io.ReadAll(dial(t, l.Addr().(ipc.Name)))
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint("web", i), string(greeting), "in the order in which they were passed")
	}
	c, err := net.Dial("tcp", tcp.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	greeting, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Equal(t, "tcp0", string(greeting))
	client := listenDatagram(t, newPath(t))
	require.NoError(t, client.SendTo([]byte("x"), nameOf(t, datagrams.LocalAddr())))
	requireDatagram(t, client, "log0", nameOf(t, datagrams.LocalAddr()))
	if messages != nil {
		c, err := ipc.DialMessage(t.Context(), nameOf(t, messages.Addr()))
		require.NoError(t, err)
		defer c.Close()
		greeting, err := c.ReceiveAppend(nil)
		require.NoError(t, err)
		require.Equal(t, "0", string(greeting))
	}
	_, err = w.WriteString("into the pipe")
	require.NoError(t, err)
	require.NoError(t, w.Close())
	p.expect("web 0 web into the pipe <nil>")
	_, err = b.Write([]byte("over the connection"))
	require.NoError(t, err)
	require.NoError(t, b.Close())
	p.expect("connection 0 connection over the connection <nil>")

	p.order("close")
	p.expect("closed")
	for _, name := range []ipc.Name{streams[0].Addr().(ipc.Name), nameOf(t, datagrams.LocalAddr())} {
		require.FileExists(t, name.String(), "it is the service manager's")
		require.FileExists(t, name.String()+".lock")
	}
	go serveEcho(streams[0]) // the process goes on
	require.NoError(t, echoOnce(streams[0].Addr().(ipc.Name)))
}

// listenActivated greets a client of the only listener.
func listenActivated(lc *ipc.ListenConfig, kind string, name ipc.Name) error {
	l, err := func() (net.Listener, error) {
		if kind == "messages" {
			return lc.ListenMessageActivated(context.Background(), name)
		}
		return lc.ListenActivated(context.Background(), name)
	}()
	if err != nil {
		return err
	}
	fmt.Println("listening on", l.Addr())
	c, err := l.Accept()
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(c, "process ", os.Getpid())
	return errors.Join(err, c.Close(), l.Close())
}

func TestOneListenerComesFromTheServiceManagerOrIsMade(t *testing.T) {
	leakcheck.Start(t)
	kinds := map[string]func(ipc.Name) (net.Listener, error){
		"listen": func(n ipc.Name) (net.Listener, error) { return ipc.Listen(n) },
	}
	if runtime.GOOS != "darwin" {
		kinds["messages"] = func(n ipc.Name) (net.Listener, error) { return ipc.ListenMessage(n) }
	}
	for kind, listen := range kinds {
		passed, own := newPath(t), newPath(t)
		l, err := listen(passed)
		require.NoError(t, err)
		defer l.Close()
		f, err := l.(interface{ File() (*os.File, error) }).File()
		require.NoError(t, err)
		services := map[ipc.Name]*process{
			passed: startActivated(t, []*os.File{f}, "LISTEN_FDS=1"),
			own:    start(t, "activated"),
		}
		require.NoError(t, f.Close())
		for name, p := range services {
			p.order(kind + " " + own.String())
			p.expect("listening on " + name.String())
			c, err := new(ipc.Dialer).DialContext(t.Context(), l.Addr().Network(), name.String())
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint("process ", p.cmd.Process.Pid), readMessage(t, c))
			require.NoError(t, c.Close())
			p.end()
		}
		_, err = os.Stat(passed.String()) // it is the service manager's
		require.NoError(t, err)
		_, err = os.Stat(own.String())
		require.ErrorIs(t, err, os.ErrNotExist)
	}
}

// readMessage returns what one Read returns.
func readMessage(t *testing.T, c net.Conn) string {
	t.Helper()
	b := make([]byte, 100)
	n, err := c.Read(b)
	require.NoError(t, err)
	return string(b[:n])
}

func TestProgramWithOneListenerTakesNothingElse(t *testing.T) {
	leakcheck.Start(t)
	one, two := listen(t, newPath(t)), listen(t, newPath(t))
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	closes(t, tcp)
	a, _ := pair(t)
	const alone = ", but this program takes a listener for bytes alone"
	for want, all := range map[string][]interface{ File() (*os.File, error) }{
		`passed a listener for bytes ("x"), a listener for bytes ("x")` + alone: {one, two},
		`passed something else ("x")` + alone:                                   {tcp.(*net.TCPListener)},
		`passed a connection of bytes ("x")` + alone:                            {a},
	} {
		var files []*os.File
		for _, one := range all {
			f, err := one.File()
			require.NoError(t, err)
			files = append(files, f)
		}
		p := startActivated(t, files, fmt.Sprint("LISTEN_FDS=", len(files)),
			"LISTEN_FDNAMES="+strings.Join(slices.Repeat([]string{"x"}, len(files)), ":"))
		closeAll(files)
		p.order("listen " + newPath(t).String())
		require.Contains(t, p.answer(), want)
		p.order("inherited") // they are as they were
		p.expect(fmt.Sprint(len(files)))
		p.end()
	}
}

func TestWithoutNamesAllThatWasPassedIsUnknown(t *testing.T) {
	leakcheck.Start(t)
	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer null.Close()
	p := startActivated(t, []*os.File{null, null}, "LISTEN_FDS=2")
	p.order("activate")
	p.expect(`2 files "unknown"`)
	p.expect("unknown 0 unknown  <nil>")
	p.expect("unknown 1 unknown  <nil>")
}

func TestWhatWasPassedToAnotherProcessIsLeftAlone(t *testing.T) {
	leakcheck.Start(t)
	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer null.Close()
	for _, variables := range [][]string{
		{"LISTEN_PID=1", "LISTEN_FDS=1"}, {"LISTEN_FDS=1"}, {"LISTEN_PID=1"}, {},
	} {
		p := startWith(t, func(cmd *exec.Cmd) {
			cmd.ExtraFiles = []*os.File{null}
			cmd.Env = append(cmd.Env, variables...)
		}, "activated")
		p.order("activate")
		p.expect("")
		p.order("variables")
		p.expect(`"" "" ""`)
		p.expect("0 exit status 1")
		p.end()
	}
}

func TestMalformedActivationVariablesAreErrorsThatShowThem(t *testing.T) {
	leakcheck.Start(t)
	for _, c := range []struct {
		pid, fds, names string
		want            error
	}{
		{fmt.Sprint(os.Getpid()), "x", "", syscall.EINVAL},
		{fmt.Sprint(os.Getpid()), "", "", syscall.EINVAL},
		{fmt.Sprint(os.Getpid()), "-1", "", syscall.EINVAL},
		{fmt.Sprint(os.Getpid()), "99999999999", "", syscall.EINVAL},
		{fmt.Sprint(os.Getpid()), "2147483647", "", syscall.EINVAL},
		{"me", "1", "", syscall.EINVAL},
		{"", "1", "", syscall.EINVAL},
		{fmt.Sprint(os.Getpid()), "2", "one", syscall.EINVAL},
		{fmt.Sprint(os.Getpid()), "2", "one:two:three", syscall.EINVAL},
		{fmt.Sprint(os.Getpid()), "1", strings.Repeat("x", 256), syscall.EINVAL},
		{fmt.Sprint(os.Getpid()), "1500", "", syscall.EBADF},
	} {
		t.Setenv("LISTEN_PID", c.pid)
		t.Setenv("LISTEN_FDS", c.fds)
		t.Setenv("LISTEN_FDNAMES", c.names)
		if c.names == "" {
			require.NoError(t, os.Unsetenv("LISTEN_FDNAMES"))
		}
		_, err := ipc.Activated()
		require.ErrorIs(t, err, c.want, c)
		require.ErrorContains(t, err, fmt.Sprintf("activate ipc: LISTEN_PID=%q, LISTEN_FDS=%q, LISTEN_FDNAMES=%q: ",
			c.pid, c.fds, c.names))
		require.Equal(t, c.fds, os.Getenv("LISTEN_FDS"), "nothing is changed")
	}
}
