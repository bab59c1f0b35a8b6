//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/lipc/ipc"
)

// sendFile sends a line together with a file.
func sendFile(c *ipc.Conn, f *os.File) error {
	_, err := c.SendFiles([]byte("here it is\n"), f)
	return err
}

// receiveFile receives a line, and the file that came with it, if any.
func receiveFile(c *ipc.Conn) (string, *os.File, error) {
	answer, files := make([]byte, 1024), make([]*os.File, 1)
	n, _, err := c.ReceiveFiles(answer, files)
	return string(answer[:n]), files[0], err
}

// sandbox gives up root, if this process runs as root.
func sandbox() error {
	if os.Geteuid() != 0 {
		fmt.Printf("reading as user %d\n", os.Geteuid())
		return nil
	}
	const nobody = 65534
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(nobody), syscall.Setuid(nobody)); err != nil {
		return fmt.Errorf("giving up root: %w", err)
	}
	fmt.Printf("was root, reading as user %d\n", os.Geteuid())
	return nil
}
