//go:build unix && !liblipc

package core

// #include <stddef.h>
// #include "environment.h"
import "C"

import (
	"os"
	"sync"
)

// environment is what the C core reads of the environment.
var environment = struct {
	sync.Mutex
	variables []variable
	values    map[string]*C.char // each value that there was: C may still read it
}{values: map[string]*C.char{}}

type variable struct {
	name, value string
	isSet       bool
}

func init() {
	for i := C.int(0); C.ipc_variable_name(i) != nil; i++ {
		environment.variables = append(environment.variables, variable{name: C.GoString(C.ipc_variable_name(i))})
	}
}

// fromEnvironment reports whether the C core reads the environment to find the directory of such a name.
func (t NameType) fromEnvironment() bool {
	return t == UserName || t == NamespacedName && C.ipc_abstract_names == 0
}

// handOverEnvironment makes the C core read the environment as it is now.
func handOverEnvironment() {
	environment.Lock()
	defer environment.Unlock()
	for i := range environment.variables {
		v := &environment.variables[i]
		value, isSet := os.LookupEnv(v.name)
		if value == v.value && isSet == v.isSet {
			continue
		}
		v.value, v.isSet = value, isSet
		var c *C.char
		if isSet {
			if c = environment.values[value]; c == nil {
				c = C.CString(value)
				environment.values[value] = c
			}
		}
		C.ipc_variable_set(C.int(i), c)
	}
}
