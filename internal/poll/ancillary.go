package poll

import (
	"fmt"

	"github.com/lipc/ipc/internal/core"
)

// CheckFiles finds more files than one message carries.
func CheckFiles(count int) error {
	if count > core.MaxFiles {
		return core.Invalidf("%d files, at most %d in one message", count, core.MaxFiles)
	}
	return nil
}

// explainEmpty says what is invalid about a payload of no bytes on a stream.
func explainEmpty(size int, err error) error {
	if size > 0 || err != core.ErrInvalid {
		return err
	}
	return fmt.Errorf("a stream needs a payload of at least one byte: %w", err)
}
