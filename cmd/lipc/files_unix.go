//go:build unix

package main

import (
	"fmt"
	"os"

	"github.com/lipc/ipc"
)

// pass sends an offer, together with the open file.
func pass(c *ipc.Conn, o offer, f *os.File) error {
	line, err := o.line()
	if err != nil {
		return err
	}
	_, err = c.SendFiles(line, f)
	return err
}

// passed returns the file that came with an offer.
func passed(_ *ipc.Conn, _ offer, files []*os.File) (*os.File, error) {
	if len(files) != 1 {
		return nil, fmt.Errorf("%d files came with an offer, not one", len(files))
	}
	return files[0], nil
}
