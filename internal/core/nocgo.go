//go:build !cgo

package core

// The package cannot be built without cgo. The compiler's errors show these texts, which say what to do. They have at
// most 70 characters each, because it cuts longer ones, and are fewer than ten, after which it stops.
func _() {
	"This package needs cgo and a C compiler. Install one:"
	"Debian, Ubuntu: apt install gcc libc6-dev"
	"Fedora: dnf install gcc"
	"Alpine: apk add gcc musl-dev"
	"macOS: xcode-select --install"
	"Windows: pacman -S mingw-w64-ucrt-x86_64-gcc, in MSYS2"
	"Then set CGO_ENABLED=1, and CC to the compiler if Go does not find it."
	"To build for another system, see docs/building.md of lipc."
}
