package core

// #include "core.h"
import "C"

// MaxFiles is how many files one message carries.
const MaxFiles = C.LIPC_MESSAGE_HANDLES

// ControlSize is the size of memory for all the control data that a message can bring.
const ControlSize = 2048

// A ControlBuffer is memory in which control data is laid out, and how much of it is in use. What does not fit is
// LIPC_EMSGSIZE, and leaves the buffer as it was.
type ControlBuffer struct {
	Memory []byte
	Length int
}
