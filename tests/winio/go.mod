module github.com/lipc/ipc/tests/winio

go 1.26.0

require (
	github.com/Microsoft/go-winio v0.6.4
	github.com/lipc/ipc v0.0.0
)

require golang.org/x/sys v0.49.0

replace github.com/lipc/ipc => ../..
