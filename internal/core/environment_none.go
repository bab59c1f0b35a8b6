//go:build !unix || liblipc

package core

// handOverEnvironment does nothing: the C core reads the environment itself, or does not need it.
func handOverEnvironment() {}
