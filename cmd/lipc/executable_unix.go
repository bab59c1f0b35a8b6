//go:build unix && !linux

package main

import (
	"errors"
	"os/exec"
	"strconv"
	"strings"
)

// executable returns the path of a process's program, or only its name if ps(1) does not know the path.
func executable(pid int) (string, error) {
	output, err := exec.Command("ps", "-p", strconv.Itoa(pid), "-o", "comm=").Output()
	if err != nil {
		return "", errors.New("ps knows no such process")
	}
	return strings.TrimSpace(string(output)), nil
}
