//go:build !liblipc

// The C core. cgo compiles only the C files of this folder, so this one includes the sources.
#include "../../csrc/all.c"
