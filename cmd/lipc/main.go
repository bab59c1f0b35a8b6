// Lipc is the netcat of local sockets: it listens, connects, serves programs, passes open files, and reports the
// process at the other end. It also prints and sends signals. "lipc --help" is its manual.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/lipc/ipc"
)

// A command is named by the first argument. define declares its options, and returns the function that runs it. That
// function is called after the options have been read, with the arguments, and with the program after "--" if the
// command takes one.
type command struct {
	name      string
	arguments string
	about     string // one line
	details   string // paragraphs and examples
	program   bool   // whether "-- CMD [ARG…]" may follow
	define    func(options *flag.FlagSet) run
}

type run func(ctx context.Context, arguments, program []string) error

func commands() []*command {
	return []*command{&listenCommand, &connectCommand, &serveCommand, &sendFilesCommand, &receiveFilesCommand,
		&peerCommand, &listCommand, &locationCommand, &pingCommand, &signalsCommand, &sendSignalCommand}
}

const head = `lipc talks over local sockets: Unix domain sockets, on Windows named pipes.

Usage: lipc COMMAND [OPTION…] ARGUMENT…

`

const foot = `
"lipc COMMAND --help" shows the options of a command, and more examples. "lipc --version" shows the version.

NAME is one of these:
  user:x         a name of your own, which no other user can listen on. "sudo lipc" has the names of root
  system:x       a name of the machine, on which only root or administrators can listen
  /tmp/x.sock    a socket file; on Windows \\.\pipe\x
  @x             a name without a path: in Linux's abstract namespace; on Windows \\.\pipe\x; elsewhere like user:x

Only the same user (and root) can connect to a listener, unless -mode lets others in. On Linux other users can connect
to a name with "@", but are cut off before they can send or receive anything. Anybody can send datagrams to such a name,
and anybody can listen on it first.

A client of a "user:" name refuses a listener of another user. A client of a "system:" name refuses one that is not
root's or an administrator's. The option -only names other users. A listener with -only closes the connection of each
other client, which reads end of stream, and reports that on standard error.

Examples, each with two terminals:

  Talk, or copy:
    lipc listen user:talk                    lipc connect user:talk
    lipc listen user:copy > copy.img         lipc connect user:copy < disk.img

  Pass an open file to another process. The receiver need not have the right to open the file itself:
    lipc receive-files user:inbox -- wc -c   lipc send-files user:inbox report.pdf
    (runs "wc -c" with the open file as its standard input)
    lipc receive-files user:inbox -dir .     sudo lipc send-files "$(lipc location user:inbox)" secret.txt
    (saves a copy of each file in this folder)

  Run a program for each connection:
    lipc serve user:date -- date             lipc connect user:date

  See who listens, and measure round trips:
    lipc list                                lipc peer user:date
    lipc listen user:echo -echo              lipc ping user:echo

  Print the process that sends a signal, and send one with a value:
    lipc signals                             lipc send-signal PID RTMIN+3 42

Exit codes: 0 done; 1 failed; 2 wrong usage; 3 nobody listens on NAME; 4 NAME is in use; 5 no connection in time;
128 + N ended by signal N (130: Ctrl-C; 141: the reader of the output is gone). Commands that run until they are
interrupted then end with 0: serve, listen with -keep, -echo or -datagram, connect -from, receive-files -keep, signals.
`

func main() { os.Exit(start(os.Args[1:])) }

// start runs a command line, and returns the exit code.
func start(arguments []string) int {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	stops := make(chan os.Signal, 1)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // nohup ignores some, and so do shells for background jobs
			signal.Notify(stops, s)
		}
	}
	go func() {
		cancel(interruptedError{(<-stops).(syscall.Signal)})
		signal.Stop(stops) // a second one ends the process at once
	}()
	// Otherwise the runtime ends the process when standard output has no reader, and a socket file stays.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)

	err := dispatch(ctx, arguments)
	code, silent := exitCode(err)
	if !silent {
		fmt.Fprintf(os.Stderr, "lipc: %v\n", err)
	}
	return code
}

func dispatch(ctx context.Context, arguments []string) error {
	if len(arguments) == 0 {
		return usageError{"what to do? \"lipc --help\" lists the commands"}
	}
	name, rest := arguments[0], arguments[1:]
	switch name {
	case "-h", "-help", "--help":
		return printHelp(os.Stdout)
	case "version", "-version", "--version":
		return printVersion(os.Stdout)
	case "help":
		if len(rest) == 0 {
			return printHelp(os.Stdout)
		}
		name, rest = rest[0], []string{"--help"}
	}
	for _, c := range commands() {
		if c.name == name {
			return c.start(ctx, rest)
		}
	}
	return usageError{fmt.Sprintf("no such command: %s; \"lipc --help\" lists them", name)}
}

// start reads the command's options, and runs it. Options may stand before, between and after the arguments. No option
// is a number, so a number is an argument even if it is negative.
func (c *command) start(ctx context.Context, line []string) error {
	options := flag.NewFlagSet(c.name, flag.ContinueOnError)
	options.SetOutput(io.Discard)
	run := c.define(options)
	var tail []string
	if i := slices.Index(line, "--"); i >= 0 {
		line, tail = line[:i], line[i+1:]
	}
	var arguments []string
	for {
		if len(line) > 0 && isNumber(line[0]) {
			arguments, line = append(arguments, line[0]), line[1:]
			continue
		}
		err := options.Parse(line)
		if errors.Is(err, flag.ErrHelp) {
			return c.printHelp(os.Stdout, options)
		}
		if err != nil {
			return usageError{fmt.Sprintf("%s: %v; \"lipc %s --help\" shows its options", c.name, err, c.name)}
		}
		if options.NArg() == 0 {
			break
		}
		arguments, line = append(arguments, options.Arg(0)), options.Args()[1:]
	}
	if c.program {
		return run(ctx, arguments, tail)
	}
	return run(ctx, append(arguments, tail...), nil)
}

func isNumber(text string) bool {
	_, err := strconv.ParseInt(text, 0, 64)
	return err == nil
}

func printHelp(w io.Writer) error {
	var text strings.Builder
	text.WriteString(head)
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, c := range commands() {
		fmt.Fprintf(table, "  %s\t%s\n", c.usage(), c.about)
	}
	table.Flush()
	text.WriteString(foot)
	_, err := io.WriteString(w, text.String())
	return outputError(err)
}

// printVersion prints the version that go install or go build recorded.
func printVersion(w io.Writer) error {
	version := "(unknown)"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
	}
	_, err := fmt.Fprintf(w, "lipc %s, %s, %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return outputError(err)
}

func (c *command) usage() string { return strings.TrimSpace(c.name + " " + c.arguments) }

func (c *command) printHelp(w io.Writer, options *flag.FlagSet) error {
	var text strings.Builder
	some := false
	fmt.Fprintf(&text, "Usage: lipc %s\n\n%s\n", c.usage(), strings.Trim(c.details, "\n"))
	options.VisitAll(func(*flag.Flag) { some = true })
	if some {
		text.WriteString("\nOptions, which may stand before and after the arguments:\n")
		options.SetOutput(&text)
		options.PrintDefaults()
	}
	_, err := io.WriteString(w, text.String())
	return outputError(err)
}

// A usageError reports a wrong command line.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

// An interruptedError reports that a signal ended a command.
type interruptedError struct{ signal syscall.Signal }

func (e interruptedError) Error() string { return "interrupted" }

// errOutputClosed reports that the reader of standard output is gone.
var errOutputClosed = errors.New("standard output is closed")

// outputError marks an error as one of standard output.
func outputError(err error) error {
	if brokenPipe(err) {
		return errOutputClosed
	}
	if err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

// exitCode returns the exit code for an error, as the help lists them, and whether to print no message.
func exitCode(err error) (code int, silent bool) {
	var interrupted interruptedError
	var network *net.OpError
	dialling := errors.As(err, &network) && (network.Op == "dial" || network.Op == "connect")
	switch {
	case err == nil:
		return 0, true
	case errors.As(err, &interrupted):
		return 128 + int(interrupted.signal), true
	case errors.Is(err, errOutputClosed):
		return 128 + int(syscall.SIGPIPE), true
	case errors.As(err, new(usageError)):
		return 2, false
	case dialling && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)):
		return 3, false
	case errors.Is(err, syscall.EADDRINUSE):
		return 4, false
	case dialling && errors.Is(err, context.DeadlineExceeded):
		return 5, false
	default:
		return 1, false
	}
}

// oneName reads the argument of a command that takes only a name.
func oneName(arguments []string) (ipc.Name, error) {
	if len(arguments) == 0 {
		return ipc.Name{}, usageError{"NAME is missing"}
	}
	if len(arguments) > 1 {
		return ipc.Name{}, usageError{fmt.Sprintf("too many arguments: %s", strings.Join(arguments[1:], " "))}
	}
	return readName(arguments[0])
}

func readName(text string) (ipc.Name, error) {
	name, err := ipc.ParseName(text)
	if err != nil {
		return name, usageError{err.Error()}
	}
	return name, nil
}
