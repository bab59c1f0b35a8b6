//go:build unix

package ipc

import (
	"os/exec"

	"github.com/lipc/ipc/internal/poll"
)

// handTo passes the descriptor to a process that has not been started yet, and returns its number there.
func handTo(cmd *exec.Cmd, end *poll.Endpoint) (number uintptr, err error) {
	file, err := end.Give()
	if err != nil {
		return 0, err
	}
	const first = 3 // os/exec: entry i becomes file descriptor 3+i
	cmd.ExtraFiles = append(cmd.ExtraFiles, file)
	return uintptr(first + len(cmd.ExtraFiles) - 1), nil
}
