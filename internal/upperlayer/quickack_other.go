//go:build !linux

package upperlayer

import "net"

func newPrompt(c net.Conn) net.Conn {
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetNoDelay(true)
	}
	return c
}
