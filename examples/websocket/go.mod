module github.com/lipc/ipc/examples/websocket

go 1.25

require (
	github.com/coder/websocket v1.8.15
	github.com/lipc/ipc v0.0.0
)

replace github.com/lipc/ipc => ../..
