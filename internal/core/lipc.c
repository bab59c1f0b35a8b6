//go:build !liblipc

// The C core, for cgo, which compiles the C files of this folder only.
#include "../../csrc/all.c"
