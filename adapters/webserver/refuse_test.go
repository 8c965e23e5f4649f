package webserver_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"concord/adapters/webserver"
	"concord/hub"
	"concord/internal/webbody"
)

// refusing serves on loopback and takes bodies of up to a kilobyte at /small.
func refusing(t *testing.T) (address, token string) {
	h := build(t, webserver.Config{Notice: time.Millisecond})
	h.Group("/small", nil).POST("", func(c *gin.Context) {
		if _, err := webbody.Reader(c.Request, 1<<10); err != nil {
			c.JSON(http.StatusRequestEntityTooLarge, gin.H{"error": hub.KindOf(err).String()})
			return
		}
		c.Status(http.StatusNoContent)
	})
	address, stop := start(t, h)
	t.Cleanup(func() { stop() })
	return address, h.token(t, "system/*.cruds")
}

func TestAClientThatSendsAllBeforeItListensReadsWhyItWasRefused(t *testing.T) {
	python := os.Getenv("CONCORD_TEST_PYTHON")
	if python == "" {
		t.Skip("CONCORD_TEST_PYTHON names no python")
	}
	address, token := refusing(t)
	for name, authorization := range map[string]string{"413": "Bearer " + token, "401": ""} {
		script := fmt.Sprintf(`
import http.client
c = http.client.HTTPConnection(%q, timeout=20)
c.request("POST", "/small", body=b"x" * (6 << 20), headers={"Authorization": %q} if %q else {})
r = c.getresponse()
print(r.status, r.read().decode())
`, address, authorization, authorization)
		out, err := exec.Command(python, "-c", script).CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), name+" ") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func TestARefusalDoesNotWaitForABodyForLong(t *testing.T) {
	address, token := refusing(t)
	for name, header := range map[string]string{"that never comes": "", "that the client asks about": "Expect: 100-continue\r\n"} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "POST /small HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%sContent-Length: 100000000\r\n\r\n", token, header)
			conn.SetReadDeadline(time.Now().Add(20 * time.Second))
			answer, err := io.ReadAll(conn)
			if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 413") {
				t.Errorf("%v: %.100s", err, answer)
			}
		})
	}
}
