package poll

import (
	"slices"
	"unsafe"

	"github.com/lipc/ipc/internal/core"
)

// The operations of a channel. Their steps ask the peer for a wake-up when they are busy.
var (
	channelSend         = &operation{step: (*direction).channelSend}
	channelSendMessage  = &operation{step: (*direction).channelSendMessage}
	channelSendBatch    = &operation{step: (*direction).channelSendBatch, advance: (*direction).advanceMessages}
	channelWrite        = &operation{step: (*direction).channelWrite, advance: (*direction).advanceWritten}
	channelReserve      = &operation{step: (*direction).channelReserve}
	channelCommit       = &operation{step: (*direction).channelCommit}
	channelFinish       = &operation{step: (*direction).channelFinish}
	channelReceive      = &operation{step: (*direction).channelReceive}
	channelAppend       = &operation{step: (*direction).channelAppend}
	channelMessage      = &operation{step: (*direction).channelMessage}
	channelReceiveBatch = &operation{step: (*direction).channelReceiveBatch}
	channelSize         = &operation{step: (*direction).channelSize}
	channelPeek         = &operation{step: (*direction).channelPeek}
	channelNext         = &operation{step: (*direction).channelNext}
	channelRead         = &operation{step: (*direction).channelRead}
)

// channelExtras are what the operations of a channel need.
type channelExtras struct {
	channel core.Channel
	shared  bool
	size    int // to reserve, or to commit
	packed  *core.ChannelBatch
	cut     bool           // the last message of a batch did not fit
	lent    unsafe.Pointer // what was reserved, or the message that Next returned
}

func (d *direction) channelSend(uintptr) core.Result    { return d.channel.Send(d.data) }
func (d *direction) channelFinish(uintptr) core.Result  { return d.channel.Shutdown(core.Writing) }
func (d *direction) channelReceive(uintptr) core.Result { return d.channel.Receive(d.data) }
func (d *direction) channelPeek(uintptr) core.Result    { return d.channel.Peek(d.data) }
func (d *direction) channelSize(uintptr) core.Result    { return d.channel.MessageSize() }
func (d *direction) channelRead(uintptr) core.Result    { return d.channel.Read(d.data) }

// Without shared memory, bytes that were written and messages that were sent in a batch or committed may still be in
// the core.

func (d *direction) channelWrite(uintptr) core.Result {
	if len(d.data) == 0 {
		return d.channel.Flush()
	}
	return d.channel.Write(d.data)
}

func (d *direction) advanceWritten(n int) bool {
	flushed := len(d.data) == 0
	return d.advanceData(n) && (d.shared || flushed)
}

func (d *direction) channelCommit(uintptr) core.Result {
	if d.size < 0 {
		return d.channel.Flush()
	}
	size := d.size
	d.size = -1
	return d.channel.Commit(size)
}

func (d *direction) channelSendBatch(uintptr) core.Result {
	if d.done == len(d.messages) {
		return d.channel.Flush()
	}
	return d.packed.Send(d.channel, d.messages[d.done:])
}

func (d *direction) channelReceiveBatch(uintptr) (r core.Result) {
	r, d.cut = d.packed.Receive(d.channel, d.messages)
	return r
}

func (d *direction) channelReserve(uintptr) (r core.Result) {
	d.lent, r = d.channel.Reserve(d.size)
	return r
}

func (d *direction) channelNext(uintptr) (r core.Result) {
	d.lent, r = d.channel.Next()
	return r
}

// channelAppend appends the next message to data, which grows as needed. The message may be another at each call: its
// sender may give it up.
func (d *direction) channelAppend(uintptr) core.Result {
	used := len(d.data)
	for {
		r := d.channel.ReceiveWhole(d.data[used : used+min(cap(d.data)-used, d.most)])
		if r >= 0 {
			d.data = d.data[:used+int(r)]
		}
		if !r.TooLarge() {
			return r
		}
		size := int(d.channel.MessageSize())
		if size > d.most {
			d.excess = size
			return d.channel.Receive(nil) // drops it
		}
		d.data = slices.Grow(d.data, max(size, 0))
	}
}

// advanceMessages records that n messages were sent.
func (d *direction) advanceMessages(n int) bool {
	flushed := d.done == len(d.messages)
	d.done += n
	return d.done == len(d.messages) && (d.shared || flushed)
}

// setMessages sets the messages of a batch.
func (d *direction) setMessages(messages [][]byte) {
	if d.packed == nil {
		d.packed = new(core.ChannelBatch)
	}
	d.packed.Begin()
	d.messages = messages
}
