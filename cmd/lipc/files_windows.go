package main

import (
	"os"

	"github.com/lipc/ipc"
)

// pass sends an offer with the file's handle in this process. The file must stay open until the receiver has answered.
func pass(c *ipc.Conn, o offer, f *os.File) error {
	o.Handle = uint64(f.Fd())
	line, err := o.line()
	if err != nil {
		return err
	}
	_, err = c.Write(line)
	return err
}

// passed takes the file of an offer from the sender's process. The sender does not put it into this process, because
// the number that it would send could be that of any handle here.
func passed(c *ipc.Conn, o offer, _ []*os.File) (*os.File, error) {
	return c.TakeFile(uintptr(o.Handle))
}
