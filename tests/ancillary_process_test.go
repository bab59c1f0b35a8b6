//go:build unix

package tests

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/lipc/ipc"
)

// inherited returns the end that this child was started with.
func inherited(name string) (anyConn, error) {
	f := os.NewFile(3, "inherited")
	defer f.Close()
	for _, k := range kinds {
		if k.name == name {
			return k.adopt(f)
		}
	}
	return nil, fmt.Errorf("there is no kind %q", name)
}

// descriptors counts the open descriptors of this process, without opening one.
func descriptors() (count int) {
	for fd := range uintptr(2048) {
		if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_GETFD, 0); errno == 0 {
			count++
		}
	}
	return count
}

// leaveDescriptors lets this process open only count more descriptors from now on.
func leaveDescriptors(count int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = 256
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	var taken []int
	for {
		fd, err := syscall.Dup(0)
		if err == syscall.EMFILE {
			break
		}
		if err != nil {
			return err
		}
		taken = append(taken, fd)
	}
	for _, fd := range taken[len(taken)-count:] {
		syscall.Close(fd)
	}
	return nil
}

// outcome describes how a receive ended.
func outcome(err error) string {
	switch {
	case err == nil:
		return "received"
	case errors.Is(err, ipc.ErrFilesLost) && errors.Is(err, syscall.EMFILE):
		return "lost for want of descriptors"
	case errors.Is(err, ipc.ErrFilesLost):
		return "lost"
	default:
		return err.Error()
	}
}

// ancillaryChild has one end of a connection of KIND as descriptor 3, and does with it what it is ordered to.
func ancillaryChild(args []string, orders *bufio.Scanner) error {
	c, err := inherited(args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	b := make([]byte, 1000)
	for orders.Scan() {
		order, rest, _ := strings.Cut(orders.Text(), " ")
		switch order {
		case "leave": // COUNT descriptors: "left"
			count, _ := strconv.Atoi(rest)
			if err := leaveDescriptors(count); err != nil {
				return err
			}
			fmt.Println("left")
		case "receive": // at most COUNT files: payload, number of files, outcome, how many more descriptors are open
			before := descriptors()
			m := ipc.Message{Buffers: [][]byte{b}}
			m.MaxFiles, _ = strconv.Atoi(rest)
			n, err := c.ReceiveMessage(&m)
			closeAll(m.Files)
			fmt.Printf("%s, %d files, %s, %+d descriptors\n", b[:n], len(m.Files), outcome(err), descriptors()-before)
		case "send": // TEXT: "sent"
			if _, err := c.SendFiles([]byte(rest)); err != nil {
				return err
			}
			fmt.Println("sent")
		case "claim": // PID UID GID: "sent", or "refused"
			claimed := new(ipc.Credentials)
			if _, err := fmt.Sscan(rest, &claimed.PID, &claimed.UID, &claimed.GID); err != nil {
				return err
			}
			_, err := c.SendMessage(&ipc.Message{Buffers: [][]byte{[]byte("claim")}, Credentials: claimed})
			switch {
			case err == nil:
				fmt.Println("sent")
			case errors.Is(err, os.ErrPermission):
				fmt.Println("refused")
			default:
				return err
			}
		default:
			return fmt.Errorf("cannot %q", order)
		}
	}
	return nil
}
