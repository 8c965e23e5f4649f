package upload

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"

	"concord/internal/ecg"
)

// largestECG bounds what one file takes in memory; the hub's own limit is lower.
const largestECG = 256 << 20

// knowsECG recognises electrocardiograms that are no DICOM instances: those that the hub reads, those in formats of carts that
// it keeps as they are, and files whose names say that they are some.
func knowsECG(name string, head []byte) (string, bool) {
	format := ecg.Detect(head)
	carts := []ecg.Format{ecg.SCP, ecg.AECG, ecg.MFER, ecg.ISHNE, ecg.Muse, ecg.CardioSoft, ecg.Philips, ecg.Schiller, ecg.Mortara}
	named := slices.Contains([]string{".scp", ".ecg", ".mwf", ".aecg"}, strings.ToLower(path.Ext(name)))
	return "", slices.Contains(carts, format) || named && len(head) > 0
}

// sendECG sends one file to the hub's door for electrocardiograms. The same bytes sent twice are one recording.
func sendECG(ctx context.Context, c *client, files []File) ([]outcome, error) {
	f := files[0]
	defer c.moved(f.Size)
	r, err := f.open()
	if err != nil {
		return []outcome{refused("", err.Error())}, nil
	}
	data, err := io.ReadAll(io.LimitReader(r, largestECG+1))
	r.Close()
	switch {
	case err != nil:
		return []outcome{refused("", err.Error())}, nil
	case len(data) > largestECG:
		return []outcome{refused("", fmt.Sprintf("larger than %d MB: long recordings are sent as DICOM", largestECG>>20))}, nil
	}
	ans, err := c.do(ctx, request{method: http.MethodPost, path: "/ecg", media: "application/octet-stream", accept: mediaFHIR, size: int64(len(data)),
		open: func() io.ReadCloser { return io.NopCloser(bytes.NewReader(data)) }, repeatable: true})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	o := outcome{status: Sent, sha256: hex.EncodeToString(sum[:]), reason: warning(ans.body)}
	if o.reason != "" {
		o.code = ans.code()
	}
	switch ans.status {
	case http.StatusCreated, http.StatusAccepted:
	case http.StatusOK:
		o.status = There
	default:
		o = ans.refusal()
	}
	return []outcome{o}, nil
}

// warning is the first of an OperationOutcome; empty where it has none.
func warning(body []byte) string {
	var oo struct {
		Issue []struct{ Severity, Diagnostics string }
	}
	if json.Unmarshal(body, &oo) != nil {
		return ""
	}
	for _, i := range oo.Issue {
		if i.Severity == "warning" {
			return i.Diagnostics
		}
	}
	return ""
}
