module github.com/lipc/ipc/tests/nettest

go 1.26.0

require (
	github.com/lipc/ipc v0.0.0
	golang.org/x/net v0.62.0
)

replace github.com/lipc/ipc => ../..
