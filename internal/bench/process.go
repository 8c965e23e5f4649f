package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// process is a server that this run has started.
type process struct {
	cmd  *exec.Cmd
	log  string // file with what it printed
	done chan struct{}
}

// start runs a server whose output goes to a file.
func start(log, binary string, args ...string) (*process, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(binary, args...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", binary, err)
	}
	p := &process{cmd: cmd, log: log, done: make(chan struct{})}
	go func() { cmd.Wait(); close(p.done) }()
	return p, nil
}

// ready asks path until it is answered with 200.
func (p *process) ready(ctx context.Context, site *Site, path string) error {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	c := &conn{site: site, until: time.Now().Add(60 * time.Second)}
	defer c.close()
	for {
		if a, err := c.do(ctx, site.get(path, "*/*")); err == nil && a.Status == 200 {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended before it was ready: %s", site.Name, p.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w: %s", site.Name, ctx.Err(), p.lastWords())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// lastWords is the end of what the process printed.
func (p *process) lastWords() string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	data = bytes.TrimSpace(data)
	return string(data[max(0, len(data)-400):])
}

// stop asks the process to end and waits; after half a minute it is killed.
func (p *process) stop() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		p.cmd.Process.Kill()
		<-p.done
	}
}

// freeAddress is a loopback address that nobody listens on at this moment.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// startHub makes a hub with one member in a folder of its own and runs it. store are more settings of its store.
func (b *bench) startHub(ctx context.Context, name string, store ...string) (*Site, error) {
	folder := filepath.Join(b.folder, strings.ReplaceAll(name, " ", "-"))
	common := append([]string{"--data", folder}, store...)
	run := func(args ...string) (string, error) {
		var out, errs bytes.Buffer
		cmd := exec.CommandContext(ctx, b.Binary, append(args, common...)...)
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			return "", fmt.Errorf("make a hub: %s: %w: %s", args[0], err, bytes.TrimSpace(errs.Bytes()))
		}
		return strings.TrimSpace(out.String()), nil
	}
	if _, err := run("member", "add", "bench", "--name", "Bench", "--aet", aet, "--hl7-sender", laboratory); err != nil {
		return nil, err
	}
	token, err := run("token", "--member", "bench", "--ttl", "12h")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	network, err := freeAddress()
	if err != nil {
		return nil, err
	}
	mllp, err := freeAddress()
	if err != nil {
		return nil, err
	}
	args := append([]string{"serve", "--listen", address, "--dimse", network, "--mllp", mllp}, common...)
	if b.Profile != "" && name == hubName {
		args = append(args, "--cpuprofile", b.Profile)
	}
	p, err := start(folder+".log", b.Binary, args...)
	if err != nil {
		return nil, err
	}
	b.running = append(b.running, p)
	site := &Site{Name: name, Address: address, Token: token, DICOM: network, MLLP: mllp, title: "CONCORD", pid: p.cmd.Process.Pid}
	return site, p.ready(ctx, site, "/readyz")
}

// errNoOrthanc says that there is nothing to compare with.
var errNoOrthanc = errors.New("orthanc with its DICOMweb plugin is not installed (Debian: orthanc orthanc-dicomweb)")
