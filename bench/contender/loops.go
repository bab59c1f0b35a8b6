package contender

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"time"
)

// bufferSize is how much a client gathers in the work "buffered", and a server reads at a time.
const bufferSize = 64 << 10

// An operator performs operations. It reads the clock after each step.
type operator struct {
	step    int // a number of operations
	operate func(n int) error
	finish  func() error // one more operation, answered when all were received; nil if each is answered
}

// steps returns how many operations of a size are performed between two looks at the clock.
func steps(size int) int {
	if size >= 64<<10 {
		return 1
	}
	return 16
}

// round performs operations for that time, and returns how many.
func (o *operator) round(length time.Duration) int {
	operations := 0
	for begin := time.Now(); ; {
		check(o.operate(o.step))
		operations += o.step
		if time.Since(begin) >= length {
			break
		}
	}
	if o.finish != nil {
		check(o.finish())
		operations++
	}
	return operations
}

// An end is one end of a connection, with the buffer that it receives into.
type end struct {
	Conn
	buffer []byte
}

func newEnd(c Conn, size int) *end { return &end{c, make([]byte, size)} }

// receive fills the buffer.
func (e *end) receive() error {
	_, err := io.ReadFull(e.Conn, e.buffer)
	return err
}

// echo answers with what it receives.
func echo(e *end) error {
	for {
		if err := e.receive(); err != nil {
			return err
		}
		if _, err := e.Write(e.buffer); err != nil {
			return err
		}
	}
}

// newAsker returns an operator for round trips.
func newAsker(e *end) *operator {
	return &operator{step: steps(len(e.buffer)), operate: (&asker{e, make([]byte, len(e.buffer))}).operate}
}

type asker struct {
	end  *end
	unit []byte
}

func (a *asker) operate(n int) error {
	for range n {
		if _, err := a.end.Write(a.unit); err != nil {
			return err
		}
		if err := a.end.receive(); err != nil {
			return err
		}
	}
	return nil
}

// A sender sends units one way. The server answers a unit whose last byte is 1 with one byte.
type sender struct {
	w       io.Writer
	buffer  *bufio.Writer // w, if that is one
	unit    []byte
	answers *end
}

func newSender(c Conn, buffer *bufio.Writer, size int) *operator {
	s := &sender{w: c, buffer: buffer, unit: make([]byte, size), answers: newEnd(c, 1)}
	if buffer != nil {
		s.w = buffer
	}
	return &operator{step: steps(size), operate: s.operate, finish: s.finish}
}

func (s *sender) operate(n int) error {
	for range n {
		if _, err := s.w.Write(s.unit); err != nil {
			return err
		}
	}
	return nil
}

func (s *sender) finish() error {
	last := &s.unit[len(s.unit)-1]
	*last = 1
	_, err := s.w.Write(s.unit)
	*last = 0
	if err != nil {
		return err
	}
	if s.buffer != nil {
		if err := s.buffer.Flush(); err != nil {
			return err
		}
	}
	return s.answers.receive()
}

// answer is what the server of a one-way work sends.
var answer = []byte{1}

// drain receives units of a size. A read may return less or more than a unit. The last unit of a round ends where a
// read ends, since the client waits after it.
func drain(e *end, size int) error {
	for part := 0; ; { // how much of a unit has been read
		n, err := e.Read(e.buffer)
		if err != nil {
			return err
		}
		part = (part + n) % size
		if part == 0 && e.buffer[n-1] == 1 {
			if _, err := e.Write(answer); err != nil {
				return err
			}
		}
	}
}

// A fileSender sends an open file with each byte.
type fileSender struct {
	c          FileConn
	file       *os.File
	unit, last []byte
	answer     []byte
}

func newFileSender(c FileConn) *operator {
	f, err := os.Open(os.DevNull)
	check(err)
	s := &fileSender{c, f, []byte{0}, []byte{1}, []byte{0}}
	return &operator{step: steps(1), operate: s.operate, finish: s.finish}
}

func (s *fileSender) operate(n int) error {
	for range n {
		if err := s.c.SendFile(s.unit, s.file); err != nil {
			return err
		}
	}
	return nil
}

func (s *fileSender) finish() error {
	if err := s.c.SendFile(s.last, s.file); err != nil {
		return err
	}
	_, err := io.ReadFull(s.c, s.answer)
	return err
}

func receiveFiles(c FileConn) error {
	for b := make([]byte, 1); ; {
		if err := c.ReceiveFile(b); err != nil {
			return err
		}
		if b[0] == 1 {
			if _, err := c.Write(answer); err != nil {
				return err
			}
		}
	}
}

// newConnector returns an operator that connects, reads the end, and closes.
func newConnector(dial Dial) *operator {
	return &operator{step: steps(1), operate: (&connector{dial, make([]byte, 1)}).operate}
}

type connector struct {
	dial Dial
	b    []byte
}

func (c *connector) operate(n int) error {
	for range n {
		conn, err := c.dial()
		if err != nil {
			return err
		}
		if n, err := conn.Read(c.b); err != io.EOF {
			return fmt.Errorf("read %d bytes of a connection that is closed: %v", n, err)
		}
		if err := conn.Close(); err != nil {
			return err
		}
	}
	return nil
}

// dialAll opens connections, with round trips on each.
func dialAll(dial Dial, count, size, roundTrips int) []*end {
	ends := make([]*end, count)
	for i := range ends {
		c, err := dial()
		check(err)
		ends[i] = newEnd(c, size)
		check(newAsker(ends[i]).operate(roundTrips))
	}
	return ends
}

// A crowd performs round trips on many connections at once, with a goroutine for each that lasts for all rounds.
type crowd struct {
	starts []chan time.Duration
	counts chan int
}

func newCrowd(ends []*end) *crowd {
	c := &crowd{make([]chan time.Duration, len(ends)), make(chan int)}
	for i, e := range ends {
		start := make(chan time.Duration)
		c.starts[i] = start
		go func() {
			for o := newAsker(e); ; {
				c.counts <- o.round(<-start)
			}
		}()
	}
	return c
}

func (c *crowd) round(length time.Duration) int {
	for _, start := range c.starts {
		start <- length
	}
	operations := 0
	for range c.starts {
		operations += <-c.counts
	}
	return operations
}
