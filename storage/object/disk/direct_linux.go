package disk

import (
	"os"
	"syscall"
)

// passCache says whether what is written from now on goes past the page cache; an error where that cannot be.
func passCache(file *os.File, on bool) error {
	flags := uintptr(0)
	if on {
		flags = syscall.O_DIRECT
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var failed syscall.Errno
	if err := raw.Control(func(fd uintptr) { _, _, failed = syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_SETFL, flags) }); err != nil {
		return err
	}
	if failed != 0 {
		return failed
	}
	return nil
}
