//go:build unix

package soak

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
	"math/rand/v2"
	"os"
)

const (
	maxSize  = 200 << 10 // of a payload
	maxFiles = 5         // in one message

	headerSize = 24
)

// A message is known by its client and its place among that client's messages. All that it carries follows from that
// and the seed, so that both sides, and the test in the end, know what it has to be.
type message struct {
	seed, client uint64
	sequence     uint32
}

// block has the bytes of all bodies. Each body is a part of it, at an offset of its own.
var block = func() []byte {
	b := make([]byte, maxSize+64<<10)
	rand.NewChaCha8([32]byte{}).Read(b)
	return b
}()

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// content returns the payload of a message, in two parts, and how many files go with it. A payload begins with who sent
// it, its place, its size, the number of files and the body's checksum, as far as its size allows.
func (m message) content() (payload [][]byte, files int) {
	source := rand.New(rand.NewPCG(m.seed^m.client, uint64(m.sequence)))
	size := 0
	switch source.IntN(8) {
	case 0:
	case 1:
		size = maxSize
	case 2, 3:
		size = source.IntN(maxSize)
	default: // as many of each order of magnitude
		size = source.IntN(min(1<<source.IntN(bits.Len(maxSize)+1), maxSize))
	}
	if source.IntN(4) == 0 {
		files = 1 + source.IntN(maxFiles)
	}
	start := source.IntN(len(block) - maxSize)
	body := block[start : start+max(size-headerSize, 0)]
	header := binary.LittleEndian.AppendUint64(make([]byte, 0, headerSize), m.client)
	for _, number := range []uint32{m.sequence, uint32(size), uint32(files), crc32.Checksum(body, castagnoli)} {
		header = binary.LittleEndian.AppendUint32(header, number)
	}
	return [][]byte{header[:min(size, headerSize)], body}, files
}

// text returns the content of a file of a message.
func (m message) text(i int) []byte {
	return fmt.Appendf(nil, "file %d of message %d of client %d of seed %d", i, m.sequence, m.client, m.seed)
}

// open opens the files that go with a message: pipes and regular files by turns.
func (m message) open(count int, dir string) (files []*os.File, err error) {
	for i := range count {
		var f *os.File
		if (int(m.sequence)+i)%2 == 0 {
			f, err = pipeWith(m.text(i))
		} else {
			f, err = fileWith(m.text(i), dir)
		}
		if err != nil {
			closeAll(files)
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

func pipeWith(text []byte) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if _, err := w.Write(text); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func fileWith(text []byte, dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "")
	if err != nil {
		return nil, err
	}
	os.Remove(f.Name())
	_, err = f.Write(text)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// checkPayload returns an error if a received payload differs from that of the message.
func (m message) checkPayload(payload []byte) error {
	want, _ := m.content()
	split := min(len(payload), len(want[0]))
	if !bytes.Equal(payload[:split], want[0]) || !bytes.Equal(payload[split:], want[1]) {
		return fmt.Errorf("message %+v came as %d bytes that begin with %x, and not as %d with %x", m, len(payload),
			payload[:split], len(want[0])+len(want[1]), want[0])
	}
	return nil
}

// checkFiles returns an error if received files differ from those of the message.
func (m message) checkFiles(files []*os.File) error {
	if _, count := m.content(); len(files) != count {
		return fmt.Errorf("%d files came with message %+v, and not %d", len(files), m, count)
	}
	for i, f := range files {
		if text, err := io.ReadAll(f); err != nil || !bytes.Equal(text, m.text(i)) {
			return fmt.Errorf("file %d of message %+v holds %q (%v)", i, m, text, err)
		}
	}
	return nil
}

// A record is a line of a log. A log is one file that all processes of a kind append to, each record by a write(2) of
// its own. What was written stays when the writer is killed; and since 4096 is a multiple of a record's size none is on
// two pages, between which a write can be cut.
type record struct {
	Client   uint64
	Sequence uint32
	Size     uint32 // of the payload as it came
	Sum      uint32 // of the payload as it came
	Files    uint32
	Event    event
	_        uint32
}

type event uint32

const (
	received event = iota + 1
	acknowledged
	halfClosed // a connection, whose client then read all acknowledgements, and the end
)

const recordSize = 32

func openLog(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
}

func (r record) appendTo(log *os.File) error {
	b, err := binary.Append(make([]byte, 0, recordSize), binary.LittleEndian, r)
	if err != nil {
		return err
	}
	_, err = log.Write(b)
	return err
}

func readLog(path string) ([]record, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if len(b)%recordSize != 0 {
		return nil, fmt.Errorf("%s has %d bytes, which are no whole records", path, len(b))
	}
	records := make([]record, len(b)/recordSize)
	_, err = binary.Decode(b, binary.LittleEndian, records)
	return records, err
}

// receivedRecord is the record of a server that received the message.
func (m message) receivedRecord() record {
	payload, files := m.content()
	sum := crc32.Update(crc32.Checksum(payload[0], castagnoli), castagnoli, payload[1])
	return record{
		Client: m.client, Sequence: m.sequence, Size: uint32(len(payload[0]) + len(payload[1])), Sum: sum,
		Files: uint32(files), Event: received,
	}
}
