// Bench runs the same work through lipc and through package net, and prints both sides with their ratio.
//
// The server of each side is a process of its own. Rounds alternate between the sides, so that a machine's noise hits
// both alike; what is printed is the median of the rounds, and the ratio is the median of the rounds' ratios.
//
//	go run . [-rounds N] [-millis N]
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/lipc/ipc"
)

// A side is one of the implementations that are compared.
type side struct {
	name   string
	listen func(network, path string) (net.Listener, error)
	dial   func(network, path string) (net.Conn, error)
}

var sides = []side{{"ipc", ipcListen, ipcDial}, {"net", net.Listen, net.Dial}}

// networks are what each side listens on, as package net calls them.
var networks = []string{"unix", "unixpacket"}

func ipcListen(network, path string) (net.Listener, error) {
	if network == "unix" {
		return ipc.Listen(ipc.Path(path))
	}
	l, err := ipc.ListenMessage(ipc.Path(path))
	return messageListener{l}, err
}

func ipcDial(network, path string) (net.Conn, error) {
	if network == "unix" {
		return ipc.Dial(context.Background(), ipc.Path(path))
	}
	c, err := ipc.DialMessage(context.Background(), ipc.Path(path))
	return messageConn{c}, err
}

// A messageConn is a net.Conn of messages, as net's own for unixpacket is.
type messageConn struct{ *ipc.MessageConn }

func (c messageConn) Read(b []byte) (int, error) { return c.Receive(b) }
func (c messageConn) Write(b []byte) (int, error) {
	if err := c.Send(b); err != nil {
		return 0, err
	}
	return len(b), nil
}

type messageListener struct{ *ipc.MessageListener }

func (l messageListener) Accept() (net.Conn, error) {
	c, err := l.AcceptConn(context.Background())
	return messageConn{c}, err
}

// A workload is what both sides do. The client sends one byte that chooses it, then its size.
type workload struct {
	name    string
	network string
	size    int
	client  func(c net.Conn, b []byte) error // one operation
	finish  func(c net.Conn) error           // waits until the server has taken everything
	server  func(c net.Conn, b []byte) error // until the client is done
}

var workloads = []workload{
	{"round trip, 64 B", "unix", 64, roundTrip, nil, echo},
	{"stream, 64 KiB", "unix", 64 << 10, send, drained, drain},
	{"message round trip, 64 B", "unixpacket", 64, roundTrip, nil, echo},
	{"message round trip, 4 KiB", "unixpacket", 4 << 10, roundTrip, nil, echo},
}

func roundTrip(c net.Conn, b []byte) error {
	if _, err := c.Write(b); err != nil {
		return err
	}
	_, err := io.ReadFull(c, b)
	return err
}

func echo(c net.Conn, b []byte) error {
	for {
		if _, err := io.ReadFull(c, b); err != nil {
			return err
		}
		if _, err := c.Write(b); err != nil {
			return err
		}
	}
}

func send(c net.Conn, b []byte) error {
	_, err := c.Write(b)
	return err
}

// drain reads until the client closes its writing half, and answers with how much that was.
func drain(c net.Conn, b []byte) error {
	total := uint64(0)
	for {
		n, err := c.Read(b)
		total += uint64(n)
		if err == io.EOF {
			return binary.Write(c, binary.LittleEndian, total)
		}
		if err != nil {
			return err
		}
	}
}

func drained(c net.Conn) error {
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		return err
	}
	var total uint64
	return binary.Read(c, binary.LittleEndian, &total)
}

// A sample is one round of one side.
type sample struct{ nanoseconds, allocations float64 }

func main() {
	log.SetFlags(0)
	rounds := flag.Int("rounds", 101, "rounds of each side and workload")
	millis := flag.Int("millis", 40, "length of a round in milliseconds")
	serving := flag.String("serve", "", "internal: the side to serve")
	flag.Parse()
	if *serving != "" {
		serve(*serving, flag.Arg(0))
		return
	}
	dir, err := os.MkdirTemp("", "lipc")
	check(err)
	defer os.RemoveAll(dir)
	for _, s := range sides {
		stop := start(s, filepath.Join(dir, s.name))
		defer stop()
	}
	fmt.Printf("%s/%s, %d CPUs, %s; %d rounds of %d ms, server in a process of its own; medians\n\n", runtime.GOOS,
		runtime.GOARCH, runtime.NumCPU(), runtime.Version(), *rounds, *millis)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "work\tipc ns/op\tnet ns/op\tmedian ratio\tipc allocs/op\tnet allocs/op\t")
	for i, work := range workloads {
		samples := make([][]sample, len(sides))
		ratios := []float64{}
		for round := range *rounds {
			for j := range sides {
				j = (j + round) % len(sides) // neither side always goes first
				samples[j] = append(samples[j], measure(sides[j], i, filepath.Join(dir, sides[j].name),
					time.Duration(*millis)*time.Millisecond))
			}
			ratios = append(ratios, samples[0][round].nanoseconds/samples[1][round].nanoseconds)
		}
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%.3f\t%.2f\t%.2f\t\n", work.name,
			median(samples[0], func(s sample) float64 { return s.nanoseconds }),
			median(samples[1], func(s sample) float64 { return s.nanoseconds }),
			median(ratios, func(r float64) float64 { return r }),
			median(samples[0], func(s sample) float64 { return s.allocations }),
			median(samples[1], func(s sample) float64 { return s.allocations }))
	}
	check(w.Flush())
}

func median[T any](all []T, of func(T) float64) float64 {
	values := make([]float64, len(all))
	for i, one := range all {
		values[i] = of(one)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// start runs a side's server, and returns what ends it.
func start(s side, path string) (stop func()) {
	server := exec.Command(os.Args[0], "-serve", s.name, path)
	server.Stderr = os.Stderr
	stdin, err := server.StdinPipe() // its end tells the server to stop
	check(err)
	stdout, err := server.StdoutPipe()
	check(err)
	check(server.Start())
	_, err = bufio.NewReader(stdout).ReadString('\n') // it listens
	check(err)
	return func() {
		stdin.Close()
		check(server.Wait())
	}
}

func serve(name, path string) {
	s := sides[slices.IndexFunc(sides, func(s side) bool { return s.name == name })]
	for _, network := range networks {
		l, err := s.listen(network, path+network)
		check(err)
		defer l.Close()
		go serveAll(l)
	}
	fmt.Println("listening")
	io.Copy(io.Discard, os.Stdin)
}

func serveAll(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			var chosen [1]byte
			if _, err := io.ReadFull(c, chosen[:]); err != nil {
				log.Fatal(err)
			}
			w := workloads[chosen[0]]
			if err := w.server(c, make([]byte, w.size)); err != nil && err != io.EOF {
				log.Fatal(err)
			}
		}()
	}
}

func measure(s side, chosen int, path string, length time.Duration) sample {
	w := workloads[chosen]
	c, err := s.dial(w.network, path+w.network)
	check(err)
	defer c.Close()
	_, err = c.Write([]byte{byte(chosen)})
	check(err)
	b := make([]byte, w.size)
	var before, after runtime.MemStats
	operations := 0
	runtime.GC()
	runtime.ReadMemStats(&before)
	begin := time.Now()
	for ; time.Since(begin) < length; operations += 16 {
		for range 16 {
			check(w.client(c, b))
		}
	}
	if w.finish != nil {
		check(w.finish(c))
	}
	elapsed := time.Since(begin)
	runtime.ReadMemStats(&after)
	return sample{float64(elapsed) / float64(operations), float64(after.Mallocs-before.Mallocs) / float64(operations)}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
