package core

// #include "core.h"
import "C"

// A Spin is how a direction spins before it waits, see lipc_spin.
type Spin struct{ c C.lipc_spin }

// SetLimit sets the longest spin.
func (s *Spin) SetLimit(microseconds uint32) { s.c.limit_us = C.uint32_t(microseconds) }

// Again reports whether to repeat at once the call that had this result.
func (s *Spin) Again(r Result) bool { return C.lipc_spin_again(&s.c, C.int64_t(r)) != 0 }
