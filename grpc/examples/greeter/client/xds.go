//go:build xds

package main

// The target xds:///SERVICE. The file that GRPC_XDS_BOOTSTRAP names, or the text in GRPC_XDS_BOOTSTRAP_CONFIG, says where
// the control plane is. This makes the program larger by 15 MB: 28 MB without symbols on Linux, x86-64.
import _ "google.golang.org/grpc/xds"
