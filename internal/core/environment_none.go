//go:build !unix || liblipc

package core

// The C core reads the environment itself, or does not need it.

func (NameType) fromEnvironment() bool { return false }
func handOverEnvironment()             {}
