// Package winio tests connections to programs that use github.com/Microsoft/go-winio, on Windows. It is a module of its
// own, so that the package itself does not depend on go-winio.
package winio
