package e2e

import (
	"net"
	"os/exec"
	"strings"
	"testing"

	"concord/e2e/hubproc"
)

// TestInstancesAreSentOverTLS has a study moved and forwarded to dcmtk's storescp, which speaks TLS only and asks the hub for
// its certificate; one that shows another certificate than the registered one gets nothing.
func TestInstancesAreSentOverTLS(t *testing.T) {
	storescp, storescu, movescu := tool(t, "storescp"), tool(t, "storescu"), tool(t, "movescu")
	folder := t.TempDir()
	own, pacs, stranger := newCredential(t, folder, "hub"), newCredential(t, folder, "pacs"), newCredential(t, folder, "stranger")
	stores, plain, taker, impostor := hubproc.Embedded(t), hubproc.FreeAddress(t), hubproc.FreeAddress(t), hubproc.FreeAddress(t)
	stores.Must(t, "member", "add", "county", "--name", "County", "--aet", "PACS@tls://"+taker+",FALSE@tls://"+impostor, "--certificate", pacs.certificate)
	hub := hubproc.NewProcess(t, "hub", hubproc.Binary(t), "serve", "--data", stores.Data, "--listen", hubproc.FreeAddress(t), "--dimse", plain,
		"--tls-cert", own.certificate, "--tls-key", own.key, "--drain", "2s")
	hub.Launch()
	listening := func(address string) func() bool {
		return func() bool {
			c, err := net.Dial("tcp", address)
			if err == nil {
				c.Close()
			}
			return err == nil
		}
	}
	await(t, "the hub", listening(plain))
	received := map[string]string{}
	for address, c := range map[string]credential{taker: pacs, impostor: stranger} {
		_, port, _ := net.SplitHostPort(address)
		received[address] = t.TempDir()
		scp := exec.Command(storescp, "+tls", c.key, c.certificate, "+cf", own.certificate, "-od", received[address], "+B", port)
		if err := scp.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { scp.Process.Kill(); scp.Wait() })
		await(t, "storescp", listening(address))
	}
	files := ctSlices(t, 72, 2)
	host, port, _ := net.SplitHostPort(plain)
	for _, f := range files {
		if out, err := exec.Command(storescu, "-aet", "PACS", "-aec", "CONCORD", host, port, saved(t, f)).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	move := func(title string) string {
		out, _ := exec.Command(movescu, "-v", "-S", "-aet", "PACS", "-aec", "CONCORD", "-aem", title, host, port,
			"-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID="+files[0].StudyUID).CombinedOutput()
		return string(out)
	}
	if out := move("PACS"); !strings.Contains(out, "Received Final Move Response (Success)") || len(glob(received[taker])) != len(files) {
		t.Errorf("%d instances came\n%s", len(glob(received[taker])), out)
	}
	if out := move("FALSE"); strings.Contains(out, "(Success)") || len(glob(received[impostor])) != 0 {
		t.Errorf("an entity that shows another certificate got %d instances\n%s", len(glob(received[impostor])), out)
	}
	stores.Must(t, "forward", files[0].StudyUID, "--to", "FALSE")
	await(t, "a try in vain", func() bool { return strings.Contains(hub.Output(), "not registered for the member") })
}
