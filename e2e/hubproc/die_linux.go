package hubproc

import "syscall"

// dieWithParent ends the process with the test, even when that is killed.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
