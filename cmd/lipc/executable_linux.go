package main

import (
	"fmt"
	"os"
)

// executable returns the path of a process's program, proc_pid_exe(5).
func executable(pid int) (string, error) { return os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)) }
