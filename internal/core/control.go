package core

// #include "core.h"
import "C"

// MaxFiles is the most files that one message carries.
const MaxFiles = C.LIPC_MESSAGE_HANDLES

// ControlSize is the size of memory that has room for all control data that one message can bring.
const ControlSize = 2048

// A ControlBuffer is memory for control data, and how much of it is in use. The result of adding what does not fit is
// LIPC_EMSGSIZE; the buffer is then unchanged.
type ControlBuffer struct {
	Memory []byte
	Length int
}
