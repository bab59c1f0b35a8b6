package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"

	"github.com/lipc/ipc"
)

// The protocol of send-files and receive-files: for each file the sender sends an offer, which is a line of JSON, with
// the open file. Then it waits for answers, which are lines of JSON, too. The last answer reports that all is done, or
// what went wrong.

// An offer announces a file.
type offer struct {
	Name   string      `json:"name"`
	Size   int64       `json:"size"`             // in bytes, from its position on; -1: not known
	Mode   fs.FileMode `json:"mode"`             // its permissions
	Handle uint64      `json:"handle,omitempty"` // on Windows: the file's handle in the sender's process
}

// An answer reports how far the receiver is.
type answer struct {
	Received int64  `json:"received"` // bytes so far, or notCounted
	Done     bool   `json:"done,omitempty"`
	Error    string `json:"error,omitempty"` // why it could not be received
}

// notCounted is the number of bytes received if a program reads the file.
const notCounted = -1

// offerLimit is the largest size of an offer, in bytes.
const offerLimit = 64 << 10

var errNoReceiver = errors.New("the peer ended the connection, or is no \"lipc receive-files\"")

// errNoSender reports that the peer does not speak the protocol.
func errNoSender(err error) error { return fmt.Errorf("the peer is no \"lipc send-files\": %w", err) }

// An outbox is the sender's side.
type outbox struct {
	c       *ipc.Conn
	answers *bufio.Reader
}

func newOutbox(c *ipc.Conn) *outbox { return &outbox{c, bufio.NewReaderSize(c, offerLimit)} }

// next waits for an answer, of at most offerLimit bytes.
func (out *outbox) next() (a answer, err error) {
	line, err := out.answers.ReadSlice('\n')
	if err != nil {
		return answer{}, err
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields() // so that an echo of the offer is not an answer
	if err := decoder.Decode(&a); err != nil {
		return answer{}, err
	}
	if a.Received < notCounted {
		return answer{}, errNoReceiver
	}
	return a, nil
}

// send offers a file, waits until it has been received, and returns how many bytes that were. It calls report for each
// answer.
func (out *outbox) send(o offer, f *os.File, report func(received int64)) (int64, error) {
	if err := pass(out.c, o, f); errors.Is(err, syscall.EPIPE) {
		return 0, errNoReceiver
	} else if err != nil {
		return 0, err
	}
	for {
		a, err := out.next()
		if errors.Is(err, net.ErrClosed) {
			return 0, err
		}
		if err != nil {
			return 0, errNoReceiver
		}
		if a.Error != "" {
			return a.Received, &skippedError{fmt.Errorf("the receiver says: %s", printable(a.Error))}
		}
		if a.Done {
			return a.Received, nil
		}
		report(a.Received)
	}
}

// A skippedError reports why one file was not passed. Other files may still be.
type skippedError struct{ error }

// newOffer describes an open file.
func newOffer(f *os.File, name string) (offer, error) {
	info, err := f.Stat()
	if err != nil {
		return offer{}, err
	}
	if info.IsDir() {
		return offer{}, fmt.Errorf("%s is a folder: files alone are passed", f.Name())
	}
	o := offer{Name: name, Size: -1, Mode: info.Mode().Perm()}
	if info.Mode().IsRegular() {
		if position, err := f.Seek(0, io.SeekCurrent); err == nil {
			o.Size = max(0, info.Size()-position)
		}
	}
	return o, nil
}

// line returns the offer as it is sent.
func (o offer) line() ([]byte, error) {
	line, err := json.Marshal(o)
	return append(line, '\n'), err
}

// An inbox is the receiver's side.
type inbox struct{ c *ipc.Conn }

// next waits for an offer. It returns io.EOF at end of stream.
func (in inbox) next() (offer, *os.File, error) {
	var line []byte
	var files []*os.File
	fail := func(err error) (offer, *os.File, error) {
		for _, f := range files {
			f.Close()
		}
		return offer{}, nil, err
	}
	m := ipc.Message{Buffers: [][]byte{make([]byte, offerLimit)}, MaxFiles: 1}
	for end := -1; end < 0; {
		n, err := in.c.ReceiveMessage(&m)
		files = append(files, m.Files...)
		m.Files = nil
		line = append(line, m.Buffers[0][:n]...)
		end = bytes.IndexByte(line, '\n')
		switch {
		case err == io.EOF && len(line) == 0, errors.Is(err, net.ErrClosed):
			return fail(err)
		case err == io.EOF:
			return fail(errNoSender(io.ErrUnexpectedEOF))
		case err != nil:
			return fail(errNoSender(err))
		case end < 0 && len(line) >= offerLimit:
			return fail(errNoSender(fmt.Errorf("an offer of more than %d bytes", offerLimit)))
		case end >= 0 && end < len(line)-1:
			return fail(errNoSender(errors.New("it does not wait for answers")))
		}
	}
	var o offer
	if err := json.Unmarshal(line, &o); err != nil {
		return fail(errNoSender(errors.New("it sent something else than an offer")))
	}
	f, err := passed(in.c, o, files)
	if err != nil {
		return fail(errNoSender(err))
	}
	return o, f, nil
}

// answer sends an answer. If the sender is gone, next reports it.
func (in inbox) answer(a answer) {
	line, err := json.Marshal(a)
	if err == nil {
		_, _ = in.c.Write(append(line, '\n'))
	}
}
