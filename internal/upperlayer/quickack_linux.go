package upperlayer

import (
	"net"
	"syscall"
)

// prompt sends acknowledgements at once. Clients that write a PDU's head and body apart wait for the acknowledgement of
// the head (Nagle), which Linux delays by 40 ms unless it is told otherwise, and it forgets soon: so after every read.
type prompt struct {
	*net.TCPConn
	raw syscall.RawConn
}

func newPrompt(c net.Conn) net.Conn {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return c
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return c
	}
	tcp.SetNoDelay(true)
	p := &prompt{tcp, raw}
	p.rearm()
	return p
}

func (p *prompt) Read(b []byte) (int, error) {
	n, err := p.TCPConn.Read(b)
	p.rearm()
	return n, err
}

func (p *prompt) rearm() { p.raw.Control(quickAck) }

func quickAck(fd uintptr) {
	syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1) // only ever a hint
}
