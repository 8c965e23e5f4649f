package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"concord/e2e/hubproc"
	"concord/internal/dicom"
	"concord/internal/sample"
)

// credential are a self-signed certificate and its key as PEM files.
type credential struct{ certificate, key string }

func newCredential(t *testing.T, folder, name string) credential {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	raw, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c := credential{filepath.Join(folder, name+".pem"), filepath.Join(folder, name+".key")}
	for path, block := range map[string]*pem.Block{c.certificate: {Type: "CERTIFICATE", Bytes: raw}, c.key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// tlsHub is a hub that speaks DICOM over TLS only. Its member village has registered a certificate, and a title as well.
type tlsHub struct {
	stores               hubproc.Stores
	process              *hubproc.Process
	address              string
	own, known, stranger credential
}

func startTLSHub(t *testing.T) *tlsHub {
	t.Helper()
	folder := t.TempDir()
	h := &tlsHub{stores: hubproc.Embedded(t), address: hubproc.FreeAddress(t),
		own: newCredential(t, folder, "hub"), known: newCredential(t, folder, "ct1"), stranger: newCredential(t, folder, "stranger")}
	h.stores.Must(t, "member", "add", "village", "--name", "Village", "--aet", "CT1", "--certificate", h.known.certificate)
	h.process = hubproc.NewProcess(t, "hub", hubproc.Binary(t), "serve", "--data", h.stores.Data, "--listen", hubproc.FreeAddress(t),
		"--tls-cert", h.own.certificate, "--tls-key", h.own.key, "--dimse-tls", h.address, "--drain", "2s")
	h.process.Launch()
	for until := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp", h.address)
		if err == nil {
			c.Close()
			return h
		}
		if time.Now().After(until) {
			t.Fatal(err)
		}
	}
}

func saved(t *testing.T, f sample.File) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image.dcm")
	data, err := io.ReadAll(f.Reader())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestClientCertificatesSayWhoCallsOverTLS(t *testing.T) {
	h := startTLSHub(t)
	host, port, _ := net.SplitHostPort(h.address)
	files := ctSlices(t, 71, 3)
	ours := map[string]sample.File{} // what village sends
	t.Run("dcmtk", func(t *testing.T) {
		storescu := tool(t, "storescu")
		send := func(c credential, title string, f sample.File) (string, bool) {
			out, err := exec.Command(storescu, "-v", "-aet", title, "-aec", "CONCORD", "+tls", c.key, c.certificate, "+cf", h.own.certificate,
				host, port, saved(t, f)).CombinedOutput()
			return string(out), err == nil && strings.Contains(string(out), "Received Store Response (Success)")
		}
		if out, ok := send(h.known, "ANY", files[0]); !ok {
			t.Errorf("a registered certificate: %s", out)
		} else {
			ours["dcmtk"] = files[0]
		}
		for _, title := range []string{"ANY", "CT1"} {
			if out, ok := send(h.stranger, title, files[2]); ok || !strings.Contains(out, "Calling AE Title Not Recognized") {
				t.Errorf("a certificate nobody registered, as %s: %s", title, out)
			}
		}
		if out, err := exec.Command(storescu, "-aet", "CT1", "-aec", "CONCORD", host, port, saved(t, files[2])).CombinedOutput(); err == nil {
			t.Errorf("without TLS: %s", out)
		}
	})
	t.Run("pynetdicom", func(t *testing.T) {
		python := clientOf(t, "CONCORD_TEST_PYTHON")
		send := func(c credential, title string, f sample.File) string {
			out, err := exec.Command(python, filepath.Join("testdata", "dicomclients", "tls.py"), host, port, "CONCORD", title, h.own.certificate,
				c.certificate, c.key, saved(t, f)).CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			return strings.TrimSpace(string(out))
		}
		if got := send(h.known, "ANY", files[1]); got != "0000 0000" {
			t.Errorf("a registered certificate: %s", got)
		} else {
			ours["pynetdicom"] = files[1]
		}
		got := ""
		for range 3 { // on a busy machine the client sees the end of the connection before the rejection that came ahead of it
			if got = send(h.stranger, "CT1", files[2]); got != "no association" {
				break
			}
		}
		if got != "rejected" {
			t.Errorf("a certificate nobody registered: %s", got)
		}
	})
	h.process.End(syscall.SIGTERM)
	if len(ours) == 0 {
		return // no client is installed
	}
	records := dicomRecords(t, h.stores)
	for client, f := range ours {
		if r := records[dicom.InstanceName(f.StudyUID, f.InstanceUID)]; r.Member != "village" {
			t.Errorf("%s: the instance is %q's", client, r.Member)
		}
	}
	if _, there := records[dicom.InstanceName(files[2].StudyUID, files[2].InstanceUID)]; there {
		t.Error("an instance of nobody was stored")
	}
}

func TestOnlyTLS12AndLaterIsSpoken(t *testing.T) {
	h := startTLSHub(t)
	authority, err := os.ReadFile(h.own.certificate)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	for version, wanted := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		c, err := tls.Dial("tcp", h.address, &tls.Config{RootCAs: roots, MinVersion: version, MaxVersion: version})
		if (err == nil) != wanted {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			c.Close()
		} else if !strings.Contains(err.Error(), "protocol version") {
			t.Errorf("%s is refused for another reason: %v", tls.VersionName(version), err)
		}
	}
}
