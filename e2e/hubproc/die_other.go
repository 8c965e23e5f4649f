//go:build !linux

package hubproc

import "syscall"

func dieWithParent() *syscall.SysProcAttr { return nil }
