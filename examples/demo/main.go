// Demo runs the other examples and the command lipc, each as a process of its own. It prints what they do, and checks
// that they do it. It builds them first, unless the variable DEMO_PROGRAMS names a directory that has them.
package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/lipc/ipc"
)

const (
	onWindows    = runtime.GOOS == "windows"
	sharesMemory = runtime.GOOS == "linux" // a channel does
)

// A demo has a directory for files and one for the programs.
type demo struct {
	dir      string
	programs string
	steps    int
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("demo: ")
	dir, err := os.MkdirTemp("", "lipc")
	if err != nil {
		log.Fatal(err)
	}
	d := &demo{dir: dir, programs: os.Getenv("DEMO_PROGRAMS")}
	err = d.run()
	os.RemoveAll(dir)
	if err != nil {
		log.Fatal("FAILED: ", err)
	}
	fmt.Printf("\nDemo complete: all %d steps did what they say.\n", d.steps)
}

func (d *demo) run() error {
	for _, part := range []func() error{d.build, d.echo, d.http, d.file, d.command, d.messages, d.datagrams,
		d.channels, d.frames, d.pipes, d.closing} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// step announces what is shown next.
func (d *demo) step(format string, args ...any) {
	d.steps++
	fmt.Printf("\n%d. %s\n", d.steps, fmt.Sprintf(format, args...))
}

func (d *demo) build() error {
	if d.programs != "" {
		return nil
	}
	d.programs = d.dir
	d.step("Build the programs: those in Go on the package, one in C on the library.")
	inC := []string{cmp.Or(os.Getenv("CC"), "cc"), "-std=c11", "-Iinclude", "examples/c/say.c", "csrc/all.c",
		"-o", d.program("say-in-c")}
	if onWindows {
		inC = append(inC, "-lntdll", "-ladvapi32")
	}
	for _, args := range [][]string{
		{cmp.Or(os.Getenv("GO"), "go"), "build", "-o", d.dir + string(filepath.Separator), "./examples/...", "./cmd/lipc"},
		inC,
	} {
		fmt.Println("   $", strings.Join(args, " "))
		if output, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, output)
		}
	}
	return nil
}

func (d *demo) program(name string) string {
	if onWindows {
		name += ".exe"
	}
	return filepath.Join(d.programs, name)
}

// name returns a name of the user's own, for this demo alone.
func (d *demo) name(of string) string { return fmt.Sprintf("user:demo-%d-%s", os.Getpid(), of) }

// location returns the path by which programs that do not use lipc reach a name.
func location(text string) (string, error) {
	name, err := ipc.ParseName(text)
	if err != nil {
		return "", err
	}
	return name.Location()
}

func (d *demo) echo() error {
	name := d.name("echo")
	d.step("An echo server, in a process of its own. Only its own user can reach it.")
	server, err := d.serve("echo", name)
	if err != nil {
		return err
	}
	defer server.stop()
	path, err := location(name)
	if err != nil {
		return err
	}
	if err := d.ownersAlone(path); err != nil {
		return err
	}

	d.step("A client in Go. Both sides learn from the kernel who the other is.")
	id := strconv.Itoa(os.Geteuid())
	if onWindows {
		user, err := user.Current()
		if err != nil {
			return err
		}
		id = user.Uid
	}
	if err := d.expect(fmt.Sprintf("talking to process %d of user %s", server.cmd.Process.Pid, id),
		d.program("echo"), "say", name, "hello", "and again"); err != nil {
		return err
	}
	if err := server.expect("serving process"); err != nil {
		return err
	}

	d.step("A client in C, of the same server.")
	if err := d.expect("got back: hello from C", d.program("say-in-c"), name, "hello from C"); err != nil {
		return err
	}
	if err := server.expect("serving process"); err != nil {
		return err
	}

	d.step("A second server on the same name fails, and the first one goes on.")
	if err := d.expectFailure("the name is taken", d.program("echo"), "serve", name); err != nil {
		return err
	}
	if err := d.expect("got back: still there\n", d.program("echo"), "say", name, "still there"); err != nil {
		return err
	}
	if err := server.expect("serving process"); err != nil {
		return err
	}

	d.step("A client says whom it expects. This server is not that user's, and gets no byte.")
	other := "12345"
	if onWindows {
		other = "S-1-5-18" // SYSTEM
	}
	err = d.expectFailure("the server is process", d.program("lipc"), "connect", name, "-only", other)
	if err != nil {
		return err
	}

	d.step("The server is killed. What it left behind does not stop the next one.")
	server.kill()
	nobody := "connection refused"
	if onWindows {
		nobody = "no such name"
	} else if _, err := os.Stat(path); err != nil {
		return err
	} else {
		fmt.Println("   killed; its socket file is still there")
	}
	if err := d.expectFailure(nobody, d.program("echo"), "say", name, "anybody?"); err != nil {
		return err
	}
	next, err := d.serve("echo", name)
	if err != nil {
		return err
	}
	defer next.stop()
	if err := d.expect("got back: back again\n", d.program("echo"), "say", name, "back again"); err != nil {
		return err
	}
	return next.expect("serving process")
}

// ownersAlone checks which users may connect. On Windows the pipe's security descriptor has them, which the tests read.
func (d *demo) ownersAlone(path string) error {
	if onWindows {
		return nil
	}
	for path, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if info.Mode().Perm() != want {
			return fmt.Errorf("%s has mode %v, wanted %v", path, info.Mode(), want)
		}
	}
	fmt.Printf("   %s is its owner's alone, and so is the directory\n", path)
	return nil
}

func (d *demo) http() error {
	name := d.name("http")
	d.step("net/http serves on a local socket, and answers a Go client.")
	server, err := d.serve("http", name)
	if err != nil {
		return err
	}
	defer server.stop()
	if err := d.expect("GET /tea, asked by process", d.program("http"), "get", name, "/tea"); err != nil {
		return err
	}
	if onWindows {
		return nil // curl does not support named pipes
	}
	curl, err := exec.LookPath("curl")
	if err != nil {
		fmt.Println("   (curl is not installed: left out)")
		return nil
	}
	d.step("The same server answers curl, which knows nothing of lipc.")
	path, err := location(name)
	if err != nil {
		return err
	}
	return d.expect("GET /coffee, asked by process", curl, "-sS", "--unix-socket", path, "http://local/coffee")
}

// file shows a file that is passed to a process that cannot open it.
func (d *demo) file() error {
	d.step("A process passes an open file to one that may only read the files it is passed. " +
		"A path outside of the folder is refused.")
	vault := filepath.Join(d.dir, "vault")
	if err := os.Mkdir(vault, 0o700); err != nil {
		return err
	}
	const secret = "the owner's alone, and whom it is handed to"
	if err := os.WriteFile(filepath.Join(vault, "secret.txt"), []byte(secret+"\n"), 0o600); err != nil {
		return err
	}
	name := d.name("opener")
	server, err := d.serve("opener", name, vault)
	if err != nil {
		return err
	}
	defer server.stop()
	if err := d.expect("here it is\n"+secret, d.program("opener"), "read", name, "secret.txt"); err != nil {
		return err
	}
	if err := server.expect("passing secret.txt"); err != nil {
		return err
	}
	return d.expectFailure("cannot open it", d.program("opener"), "read", name, "../echo")
}

// command shows the same from a shell, with two processes of the command lipc.
func (d *demo) command() error {
	d.step("The command lipc passes an open file, too. The receiver saves a copy.")
	name, inbox := d.name("inbox"), filepath.Join(d.dir, "inbox")
	if err := os.Mkdir(inbox, 0o700); err != nil {
		return err
	}
	args := []string{"receive-files", name, "-dir", inbox, "-quiet"}
	fmt.Println("   $", d.line("lipc", args), "&")
	receiver := exec.Command(d.program("lipc"), args...)
	receiver.Stderr = os.Stderr
	if err := receiver.Start(); err != nil {
		return err
	}
	defer receiver.Process.Kill() // if it does not end by itself
	sent := filepath.Join(d.dir, "vault", "secret.txt")
	err := d.expect("secret.txt: passed, ", d.program("lipc"), "send-files", name, sent, "-timeout", "10s")
	if err != nil {
		return err
	}
	if err := receiver.Wait(); err != nil {
		return fmt.Errorf("lipc receive-files: %w", err)
	}
	was, err := os.ReadFile(sent)
	if err != nil {
		return err
	}
	is, err := os.ReadFile(filepath.Join(inbox, "secret.txt"))
	if err != nil {
		return err
	}
	if string(was) != string(is) {
		return fmt.Errorf("the copy holds %q, wanted %q", is, was)
	}
	fmt.Println("   the copy is the same")
	return nil
}

func (d *demo) messages() error {
	if runtime.GOOS == "darwin" {
		fmt.Println("\n   (macOS has no message sockets: left out)")
		return nil
	}
	d.step("A message server: three requests are sent at once, without separators.")
	name := d.name("sums")
	server, err := d.serve("sums", name)
	if err != nil {
		return err
	}
	defer server.stop()
	return d.expect("\"1 2 3\": 6\n\"\": 0\n\"40 2\": 42\n", d.program("sums"), "ask", name, "1 2 3", "", "40 2")
}

func (d *demo) datagrams() error {
	if onWindows {
		fmt.Println("\n   (Windows has no local datagrams: left out)")
		return nil
	}
	d.step("A datagram logger, which learns from the kernel which process sent each datagram.")
	name := d.name("logger")
	server, err := d.serve("logger", name)
	if err != nil {
		return err
	}
	defer server.stop()
	if err := d.expect("", d.program("logger"), "log", name, "disk is full"); err != nil {
		return err
	}
	if err := server.expect("process "); err != nil {
		return err
	}
	if said := server.lines.Text(); !strings.HasSuffix(said, ": disk is full") {
		return fmt.Errorf("the logger printed %q", said)
	}
	return nil
}

func (d *demo) channels() error {
	d.step("A server of values by key, over a channel: messages through memory that both processes share.")
	name := d.name("values")
	server, err := d.serve("channel", name)
	if err != nil {
		return err
	}
	defer server.stop()
	shared := "no"
	if sharesMemory {
		shared = "yes"
	}
	if err := d.expect("; shared memory: "+shared+"\ntea=hot: \"hot\"\ntea: \"hot\"\n",
		d.program("channel"), "ask", name, "tea=hot", "tea"); err != nil {
		return err
	}
	if err := server.expect("serving process "); err != nil {
		return err
	}
	if said := server.lines.Text(); !strings.HasSuffix(said, "; shared memory: "+shared) {
		return fmt.Errorf("the server printed %q", said)
	}
	return d.expect("tea: \"hot\"\n", d.program("channel"), "ask", name, "tea") // the server goes on
}

func (d *demo) frames() error {
	if !sharesMemory {
		fmt.Printf("\n   (Channels share no memory on %s: left out)\n", runtime.GOOS)
		return nil
	}
	d.step("A producer draws pictures of 1 MiB into shared memory, where the consumer looks at them. Nobody copies them.")
	name := d.name("camera")
	server, err := d.serve("frames", name)
	if err != nil {
		return err
	}
	defer server.stop()
	return d.expect("500 frames, all as they were drawn, ", d.program("frames"), "watch", name, "500")
}

func (d *demo) pipes() error {
	d.step("A parent sends work to its child over a pipe, and receives the results over another.")
	return d.expect("says HELLO", d.program("parent"), "hello", "child")
}

func (d *demo) closing() error {
	if onWindows {
		return nil // the name of a pipe ends with its server
	}
	d.step("Servers that were stopped leave no socket and no lock file behind.")
	every, err := location(d.name("*"))
	if err != nil {
		return err
	}
	left, err := filepath.Glob(every + "*")
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("left behind: %v", left)
	}
	fmt.Println("   none left")
	return nil
}

// expect runs a program, which must print the text.
func (d *demo) expect(text, program string, args ...string) error {
	output, err := d.show(program, args)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(program), err)
	}
	if !strings.Contains(output, text) {
		return fmt.Errorf("wanted %q from %s", text, filepath.Base(program))
	}
	return nil
}

// expectFailure runs a program, which must fail and print the text.
func (d *demo) expectFailure(text, program string, args ...string) error {
	output, err := d.show(program, args)
	if err == nil || !strings.Contains(output, text) {
		return fmt.Errorf("wanted a failure with %q from %s", text, filepath.Base(program))
	}
	return nil
}

// show runs a program, and prints its command line and output as in a shell.
func (d *demo) show(program string, args []string) (string, error) {
	fmt.Println("   $", d.line(filepath.Base(program), args))
	output, err := exec.Command(program, args...).CombinedOutput()
	for line := range strings.Lines(string(output)) {
		fmt.Println("   " + strings.TrimSuffix(line, "\n"))
	}
	return string(output), err
}

// line returns a command as it is typed in a shell.
func (d *demo) line(program string, args []string) string {
	line := program
	for _, arg := range args {
		if arg = strings.TrimPrefix(arg, d.dir+string(filepath.Separator)); arg == "" || strings.Contains(arg, " ") {
			arg = strconv.Quote(arg)
		}
		line += " " + arg
	}
	return line
}

// A server is a process that prints a line when it is ready.
type server struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

func (d *demo) serve(program, name string, args ...string) (*server, error) {
	args = append([]string{"serve", name}, args...)
	fmt.Println("   $", d.line(program, args), "&")
	s := &server{cmd: exec.Command(d.program(program), args...)}
	s.cmd.Stderr = os.Stderr
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	s.lines = bufio.NewScanner(io.TeeReader(stdout, &indented{}))
	if err := s.expect("listening on"); err != nil {
		s.kill()
		return nil, err
	}
	return s, nil
}

// expect waits for the server's next line, which must begin with the text.
func (s *server) expect(text string) error {
	if !s.lines.Scan() || !strings.HasPrefix(s.lines.Text(), text) {
		return fmt.Errorf("the server printed %q, wanted %q", s.lines.Text(), text)
	}
	return nil
}

// kill ends the server as a crash would.
func (s *server) kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// stop ends the server as Ctrl-C does. On Windows only a console can send that.
func (s *server) stop() {
	if onWindows {
		s.kill()
		return
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	overdue := time.AfterFunc(10*time.Second, func() { s.cmd.Process.Kill() })
	defer overdue.Stop()
	s.cmd.Wait()
}

// indented prints the output of a server, indented to distinguish it from the demo's own.
type indented struct{}

func (*indented) Write(b []byte) (int, error) {
	for line := range strings.Lines(string(b)) {
		fmt.Print("   | ", line)
	}
	return len(b), nil
}
