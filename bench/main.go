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
	"errors"
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
	name     string
	listen   func(network, path string) (net.Listener, error)
	dial     func(network, path string) (net.Conn, error)
	datagram func(path, peer string) (net.Conn, error) // peer may be empty: whoever sent last
}

var sides = []side{{"ipc", ipcListen, ipcDial, ipcDatagram}, {"net", net.Listen, netDial, netDatagram}}

// networks are what each side listens on, as package net calls them.
var networks = []string{"unix", "unixpacket"}

// A batcher sends and receives messages several at a time.
type batcher interface {
	SendBatch(messages [][]byte) (int, error)
	ReceiveBatch(messages [][]byte) (int, error)
}

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

// An ipcPacketConn is a datagram socket that sends to a peer of its own, or to who sent last.
type ipcPacketConn struct {
	*ipc.DatagramConn
	peer ipc.Name
}

func (c *ipcPacketConn) Read(b []byte) (n int, err error) {
	n, c.peer, err = c.ReceiveFrom(b)
	return n, err
}

func (c *ipcPacketConn) Write(b []byte) (int, error) { return len(b), c.SendTo(b, c.peer) }

func ipcDatagram(path, peer string) (net.Conn, error) {
	c, err := ipc.ListenDatagram(ipc.Path(path))
	return &ipcPacketConn{c, ipc.Path(peer)}, err
}

// A netPacketConn is the same of package net.
type netPacketConn struct {
	*net.UnixConn
	peer net.Addr
}

func (c *netPacketConn) Read(b []byte) (n int, err error) {
	n, c.peer, err = c.ReadFrom(b)
	return n, err
}

func (c *netPacketConn) Write(b []byte) (int, error) { return c.WriteTo(b, c.peer) }

func (c *netPacketConn) Close() error {
	return errors.Join(c.UnixConn.Close(), os.Remove(c.LocalAddr().String()))
}

func netDatagram(path, peer string) (net.Conn, error) {
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	return &netPacketConn{c, &net.UnixAddr{Name: peer, Net: "unixgram"}}, err
}

// A netMessageConn has no batches to offer but one message at a time.
type netMessageConn struct{ *net.UnixConn }

func (c netMessageConn) SendBatch(messages [][]byte) (int, error) {
	for i, message := range messages {
		if _, err := c.Write(message); err != nil {
			return i, err
		}
	}
	return len(messages), nil
}

func (c netMessageConn) ReceiveBatch(messages [][]byte) (int, error) {
	n, err := c.Read(messages[0])
	if n == 0 && err == nil {
		err = io.EOF // what package net reports of a message socket's end
	}
	messages[0] = messages[0][:n]
	return 1, err
}

func netDial(network, path string) (net.Conn, error) {
	c, err := net.Dial(network, path)
	if network == "unixpacket" && err == nil {
		return netMessageConn{c.(*net.UnixConn)}, nil
	}
	return c, err
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
	{"16 messages there and back, 64 B", "unixpacket", batch * 64, batchRoundTrip, nil, batchEcho},
	{"datagram round trip, 64 B", "unixgram", 64, roundTrip, nil, echo},
}

// batch is how many messages a batch has.
const batch = 16

// cut makes messages of b.
func cut(messages [][]byte, b []byte) {
	for i := range messages {
		size := len(b) / len(messages)
		messages[i] = b[i*size : (i+1)*size]
	}
}

// messages are the client's; there is one.
var messages [batch][]byte

func batchRoundTrip(c net.Conn, b []byte) error {
	cut(messages[:], b)
	if _, err := c.(batcher).SendBatch(messages[:]); err != nil {
		return err
	}
	for received := 0; received < batch; {
		n, err := c.(batcher).ReceiveBatch(messages[received:])
		if err != nil {
			return err
		}
		received += n
	}
	return nil
}

func batchEcho(c net.Conn, b []byte) error {
	if packets, ok := c.(*net.UnixConn); ok {
		c = netMessageConn{packets}
	}
	var messages [batch][]byte
	for {
		cut(messages[:], b)
		n, err := c.(batcher).ReceiveBatch(messages[:])
		if err != nil {
			return err
		}
		if _, err := c.(batcher).SendBatch(messages[:n]); err != nil {
			return err
		}
	}
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
	datagrams, err := s.datagram(path+"unixgram", "")
	check(err)
	defer datagrams.Close()
	go echo(datagrams, make([]byte, 64)) // until it is closed
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
	var c net.Conn
	var err error
	if w.network == "unixgram" {
		c, err = s.datagram(path+"client", path+w.network)
		check(err)
	} else {
		c, err = s.dial(w.network, path+w.network)
		check(err)
		_, err = c.Write([]byte{byte(chosen)})
		check(err)
	}
	defer c.Close()
	b := make([]byte, w.size)
	var before, after runtime.MemStats
	operations := 0
	check(w.client(c, b)) // what is allocated once
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
