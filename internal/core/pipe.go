package core

/*
#include "core.h"

static int64_t ipc_pipe_read(lipc_handle handle, char *data, size_t size) {
	return lipc_pipe_readv(handle, &(lipc_buffer){data, size}, 1, 0);
}

static int64_t ipc_pipe_write(lipc_handle handle, const char *data, size_t size) {
	return lipc_pipe_writev(handle, &(lipc_buffer){(void *)(uintptr_t)data, size}, 1, 0);
}

static int ipc_pipe(int inherit, int buffer_size, const char *sddl, lipc_handle *ret_read, lipc_handle *ret_write) {
	lipc_pipe_options options = {sizeof options, inherit, buffer_size, sddl};
	return lipc_pipe(&options, ret_read, ret_write);
}
*/
import "C"

// Pipe returns the ends of an unnamed pipe. bufferSize is in bytes; 0 means the system's default.
func Pipe(inheritReader, inheritWriter bool, bufferSize int, system *PipeSystem) (read, write uintptr, err error) {
	var hr, hw C.lipc_handle
	var inherit C.int
	if inheritReader {
		inherit |= C.LIPC_READ
	}
	if inheritWriter {
		inherit |= C.LIPC_WRITE
	}
	sddl, free := system.options()
	defer free()
	r := creating(func() Result {
		return Result(C.ipc_pipe(inherit, C.int(min(bufferSize, 1<<30)), sddl, &hr, &hw))
	})
	return uintptr(hr), uintptr(hw), system.explain(r, r.Err())
}

// ReadPipe and WritePipe are Read and Write for pipes only, and take fewer system calls.
func ReadPipe(handle uintptr, b []byte) Result {
	return Result(C.ipc_pipe_read(C.lipc_handle(handle), char(b), C.size_t(len(b))))
}

func WritePipe(handle uintptr, b []byte) Result {
	return Result(C.ipc_pipe_write(C.lipc_handle(handle), char(b), C.size_t(len(b))))
}
