module github.com/lipc/ipc/examples/daemon/before

go 1.25

require (
	github.com/Microsoft/go-winio v0.6.2
	golang.org/x/sys v0.40.0
)
