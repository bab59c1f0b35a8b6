package poll

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/lipc/ipc/internal/core"
)

var (
	send          = &operation{step: (*direction).send, writes: true}
	receive       = &operation{step: (*direction).receive}
	receiveAppend = &operation{step: (*direction).receiveAppend}
	peek          = &operation{step: (*direction).peek}
	messageSize   = &operation{step: (*direction).messageSize}
	sendBatch     = &operation{step: (*direction).sendBatch, advance: (*direction).advanceSent, writes: true}
	receiveBatch  = &operation{step: (*direction).receiveBatch, advance: (*direction).advanceReceived, batch: true}
)

// Send sends one message.
func (e *Endpoint) Send(b []byte) error {
	_, err := e.transfer(&e.out, send, b)
	return e.explainSize(len(b), err)
}

// explainSize adds the limit to the error of a message that is too large.
func (e *Endpoint) explainSize(size int, err error) error {
	if !errors.Is(err, syscall.EMSGSIZE) {
		return err
	}
	limit := core.Result(-1)
	asked := e.Control(func(handle uintptr) core.Result { limit = core.MessageLimit(handle); return 0 })
	if asked != nil || limit < 0 || size <= int(limit) {
		return err // something else than the payload is too large
	}
	return fmt.Errorf("%d bytes, at most %d: %w", size, limit, err)
}

// Receive receives one message.
func (e *Endpoint) Receive(b []byte) (int, error) { return e.transfer(&e.in, receive, b) }

// Peek receives a message as Receive does, without removing it.
func (e *Endpoint) Peek(b []byte) (int, error) { return e.transfer(&e.in, peek, b) }

// MessageSize waits for a message, and returns its length.
func (e *Endpoint) MessageSize() (int, error) { return e.transfer(&e.in, messageSize, nil) }

// sizeLimit is what receiving a message of any size needs.
type sizeLimit struct {
	most   int // the largest size to receive
	excess int // the size of a message that was larger, -1 if the system does not report it; 0: it was not larger
}

// ReceiveAppend appends to b a message of no more than most bytes. It drops a larger one; excess is then the message's
// size, or -1 if the system does not report it.
func (e *Endpoint) ReceiveAppend(b []byte, most int) (appended []byte, excess int, err error) {
	return e.receiveAppend(func() (int, error) { return e.run(&e.in, receiveAppend) }, b, most)
}

func (e *Endpoint) receiveAppend(run func() (int, error), b []byte, most int) (appended []byte, excess int, err error) {
	d := &e.in
	d.mu.Lock()
	defer d.mu.Unlock()
	d.needExtras()
	d.data, d.sizeLimit = b, sizeLimit{most: most}
	_, err = run()
	appended, d.data = d.data, nil
	if d.excess != 0 {
		appended = b
	}
	return appended, d.excess, err
}

// A batch is several messages that are transferred one after the other, in place of data.
type batch struct{ messages [][]byte }

func (d *direction) advanceSent(int) bool {
	d.done++
	return d.done == len(d.messages)
}

func (d *direction) advanceReceived(n int) bool {
	d.messages[d.done] = d.messages[d.done][:n]
	return d.advanceSent(n)
}

func (e *Endpoint) transferBatch(d *direction, o *operation, messages [][]byte) (int, error) {
	if len(messages) == 0 {
		return 0, e.Usable()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.needExtras()
	d.messages = messages
	n, err := e.run(d, o)
	d.messages = nil
	return n, err
}

// SendBatch sends messages one after the other, and returns how many were sent.
func (e *Endpoint) SendBatch(messages [][]byte) (int, error) {
	n, err := e.transferBatch(&e.out, sendBatch, messages)
	if n < len(messages) {
		err = e.explainSize(len(messages[n]), err)
	}
	return n, err
}

// ReceiveBatch waits for a message, receives all messages that are there, and cuts the slices to their lengths.
func (e *Endpoint) ReceiveBatch(messages [][]byte) (int, error) {
	return e.transferBatch(&e.in, receiveBatch, messages)
}
