package main

import (
	"os"

	"github.com/lipc/ipc"
)

// pass sends an offer that says where in this process the receiver finds the file, which must stay open until it has
// answered.
func pass(c *ipc.Conn, o offer, f *os.File) error {
	o.Handle = uint64(f.Fd())
	line, err := o.line()
	if err != nil {
		return err
	}
	_, err = c.Write(line)
	return err
}

// passed fetches the file that an offer is about. The receiver does so, since a number that the sender claims to have
// put into this process could be any handle here.
func passed(c *ipc.Conn, o offer, _ []*os.File) (*os.File, error) {
	return c.TakeFile(uintptr(o.Handle))
}
