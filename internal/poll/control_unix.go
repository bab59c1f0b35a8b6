//go:build unix

package poll

import "github.com/lipc/ipc/internal/core"

var (
	sendControl    = &operation{step: (*direction).sendControl, advance: (*direction).advanceData, writes: true}
	receiveControl = &operation{step: (*direction).receiveControl}
)

// control is the control data that goes with data.
type control struct {
	controlData []byte
	came        int // how much of it was received, in bytes
}

// The control data goes with the first byte of the payload; further calls send the rest without it.
func (d *direction) sendControl(fd uintptr) core.Result {
	if d.done == 0 {
		return core.SendControl(fd, d.data, d.controlData)
	}
	return core.Write(fd, d.data)
}

func (d *direction) receiveControl(fd uintptr) core.Result {
	n, came, r := core.ReceiveControl(fd, d.data, d.controlData)
	d.came = came
	if r.FilesLost() {
		d.done = n
	}
	return r
}

// SendControl sends a payload with control data.
func (e *Endpoint) SendControl(b, data []byte) (int, error) {
	n, _, err := e.transferControl(&e.out, sendControl, b, data)
	return n, e.explainSize(len(b), err)
}

// ReceiveControl receives a payload and control data, and returns the length of both.
func (e *Endpoint) ReceiveControl(b, data []byte) (n, came int, err error) {
	return e.transferControl(&e.in, receiveControl, b, data)
}

func (e *Endpoint) transferControl(d *direction, o *operation, b, data []byte) (n, came int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.needExtras()
	d.data, d.control = b, control{controlData: data}
	n, err = e.run(d, o)
	came = d.came
	d.data, d.control = nil, control{}
	return n, came, err
}
