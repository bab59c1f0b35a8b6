package poll

import (
	"fmt"

	"github.com/lipc/ipc/internal/core"
)

// CheckFiles returns an error if there are more files than the limit of one message.
func CheckFiles(count, limit int) error {
	if count > limit {
		return core.Invalidf("%d files, at most %d in one message", count, limit)
	}
	return nil
}

// explainEmpty adds to an error for room of no bytes that a stream needs at least one.
func explainEmpty(size int, err error) error {
	if size > 0 || err != core.ErrInvalid {
		return err
	}
	return fmt.Errorf("a stream needs room for at least one byte: %w", err)
}
