// Package contender is what the contenders in Go share: how they talk to the benchmark's driver, and the loops that are
// measured. A contender passes a table of variants to [Main], which say how to listen and to dial. All other code is
// the same for all contenders.
//
// The driver starts a server and a client process:
//
//	PROGRAM server VARIANT WORK SIZE COUNT ADDRESS
//	PROGRAM client VARIANT WORK SIZE COUNT ADDRESS
//
// ADDRESS is the path of a file that does not exist, in a folder of its own. Both print the line "ready" once they are
// ready. The server answers each line on its standard input with the number of its heap allocations so far, and serves
// until its input ends. The client reads lines with a number of milliseconds. For each it runs a round of that length,
// and prints "OPERATIONS NANOSECONDS ALLOCATIONS".
//
// An error is a line on standard error and exit status 1. If the variant does not have the work the status is 2.
package contender

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

// A Conn is a connection. If it transfers messages, Write sends one and Read receives one. The end is [io.EOF].
type Conn = io.ReadWriteCloser

// A FileConn is a [Conn] that transfers open files.
type FileConn interface {
	Conn
	SendFile(b []byte, f *os.File) error
	ReceiveFile(b []byte) error // receives len(b) bytes with one file, and closes the file
}

// A Listener accepts the server's ends. Once it is closed, Accept returns an error.
type Listener interface {
	Accept() (Conn, error)
	Close() error
}

// A Variant is one way to communicate, of a library that may have several.
type Variant struct {
	Works  []string // the works that it has
	Listen func(Job) (Listener, error)
	Dialer func(Job) (Dial, error) // prepares what all connections share
}

// A Dial connects to the server.
type Dial func() (Conn, error)

// Works of variants with many connections, and of those with a single one.
var (
	Connecting = []string{"roundtrip", "stream", "connect", "idle", "busy"}
	Passing    = append(slices.Clip(Connecting), "files")
	Chatting   = append(slices.Clip(Passing), "chatty")
	Single     = []string{"roundtrip", "stream"}
	Asking     = []string{"roundtrip"}
	OneWay     = []string{"stream"}
	Buffered   = []string{"buffered"}
)

// A Job is what the driver asks for.
type Job struct {
	Work        string
	Size, Count int
	Address     string
}

// Main is the whole of a contender. It does not return.
func Main(variants map[string]Variant) {
	if len(os.Args) != 7 || os.Args[1] != "server" && os.Args[1] != "client" {
		fail(errors.New("usage: server|client VARIANT WORK SIZE COUNT ADDRESS"))
	}
	v, work := variants[os.Args[2]], os.Args[3]
	if !slices.Contains(v.Works, work) {
		fmt.Fprintf(os.Stderr, "%s: there is no work %q of a variant %q\n", os.Args[0], work, os.Args[2])
		os.Exit(2)
	}
	j := Job{work, number(os.Args[4]), number(os.Args[5]), os.Args[6]}
	if os.Args[1] == "server" {
		j.serve(v)
	} else {
		j.measure(v)
	}
	os.Exit(0)
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err == nil && n < 1 {
		err = fmt.Errorf("%s is not a positive number", s)
	}
	check(err)
	return n
}

func check(err error) {
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[0], err)
	os.Exit(1)
}

// ending is set when the server's input has ended. Errors after that come from closing.
var ending atomic.Bool

func (j Job) serve(v Variant) {
	l, err := v.Listen(j)
	check(err)
	go j.accept(l)
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(allocations())
	}
	ending.Store(true)
	check(l.Close())
}

func (j Job) accept(l Listener) {
	for {
		c, err := l.Accept()
		if ending.Load() {
			return
		}
		check(err)
		if j.Work == "connect" {
			check(c.Close())
			continue
		}
		go func() {
			if err := j.answer(c); !errors.Is(err, io.EOF) && !ending.Load() {
				fail(err)
			}
			if _, closes := l.(*sole); !closes {
				c.Close()
			}
		}()
	}
}

func (j Job) answer(c Conn) error {
	switch j.Work {
	case "stream":
		return drain(newEnd(c, j.Size), j.Size)
	case "buffered":
		return drain(newEnd(c, bufferSize), j.Size)
	case "files":
		return receiveFiles(c.(FileConn))
	}
	return echo(newEnd(c, j.Size))
}

func (j Job) measure(v Variant) {
	dial, err := v.Dialer(j)
	check(err)
	var ends []*end
	var round func(time.Duration) int
	switch j.Work {
	case "idle", "chatty":
		ends = dialAll(dial, j.Count, j.Size, j.roundTrips())
		round = func(time.Duration) int { return 0 }
	case "busy":
		ends = dialAll(dial, j.Count, j.Size, j.roundTrips())
		round = newCrowd(ends).round
	case "connect":
		round = newConnector(dial).round
	default:
		c, err := dial()
		check(err)
		ends = []*end{{Conn: c}}
		round = j.operator(c).round
	}
	round(0) // allocates what is allocated once
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		milliseconds := number(lines.Text())
		if j.resting() {
			fmt.Println(0, 0, 0)
			continue
		}
		before, begin := allocations(), time.Now()
		operations := round(time.Duration(milliseconds) * time.Millisecond)
		elapsed := time.Since(begin)
		fmt.Println(operations, elapsed.Nanoseconds(), allocations()-before)
	}
	for _, e := range ends {
		check(e.Close())
	}
}

// roundTrips returns how many each connection makes before the first round. In the work "chatty" they transfer more than
// the ring of a channel holds.
func (j Job) roundTrips() int {
	if j.Work == "chatty" {
		return 5000
	}
	return 1
}

// resting reports whether nothing is done in a round.
func (j Job) resting() bool { return j.Work == "idle" || j.Work == "chatty" }

// operator returns the operator for the work on a connection.
func (j Job) operator(c Conn) *operator {
	switch j.Work {
	case "stream":
		return newSender(c, nil, j.Size)
	case "buffered":
		return newSender(c, bufio.NewWriterSize(c, bufferSize), j.Size)
	case "files":
		return newFileSender(c.(FileConn))
	}
	return newAsker(newEnd(c, j.Size))
}

func allocations() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.Mallocs
}
