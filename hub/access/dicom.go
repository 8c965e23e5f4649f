package access

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"concord/hub"
)

// overTLS is before a destination that is called over TLS.
const overTLS = "tls://"

// NewDICOM reads what an administrator typed: titles as TITLE, TITLE@HOST:PORT (where it takes instances) or
// TITLE@tls://HOST:PORT, networks as addresses or prefixes, certificates as PEM.
func NewDICOM(titles, networks []string, certificates [][]byte) (DICOM, error) {
	d := DICOM{}
	for _, t := range titles {
		title, destination, listens := strings.Cut(t, "@")
		d.AETs = append(d.AETs, title)
		if listens {
			if d.Destinations == nil {
				d.Destinations = map[string]string{}
			}
			d.Destinations[title] = destination
		}
	}
	for _, n := range networks {
		prefix, err := parseNetwork(n)
		if err != nil {
			return d, &hub.Error{Kind: hub.Invalid, Path: "network", Msg: fmt.Sprintf("%.64q is no address and no network", n), Hint: "such as 10.2.0.7 or 10.2.0.0/16"}
		}
		d.Networks = append(d.Networks, prefix)
	}
	for _, c := range certificates {
		block, _ := pem.Decode(c)
		if block == nil || block.Type != "CERTIFICATE" {
			return d, &hub.Error{Kind: hub.Invalid, Path: "certificate", Msg: "the file has no PEM certificate at its start"}
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return d, &hub.Error{Kind: hub.Invalid, Path: "certificate", Msg: "the certificate is unreadable", Err: err}
		}
		d.Certificates = append(d.Certificates, Fingerprint(cert))
	}
	d.AETs = slices.Compact(slices.Sorted(slices.Values(d.AETs)))
	return d, d.check()
}

func parseNetwork(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap().Prefix(a.Unmap().BitLen())
	}
	p, err := netip.ParsePrefix(s)
	return p.Masked(), err
}

// Fingerprint is how a certificate is named in Certificates.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// Destination is where an application entity takes instances, as host:port, and whether TLS is spoken there. An empty address
// is of one that takes none.
func (d DICOM) Destination(title string) (address string, secure bool) {
	return strings.CutPrefix(d.Destinations[title], overTLS)
}

// Within tells whether an address is in the member's networks.
func (d DICOM) Within(a netip.Addr) bool {
	return slices.ContainsFunc(d.Networks, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
}

func (d DICOM) equal(o DICOM) bool {
	return slices.Equal(d.AETs, o.AETs) && slices.Equal(d.Networks, o.Networks) && slices.Equal(d.Certificates, o.Certificates) &&
		maps.Equal(d.Destinations, o.Destinations)
}

func (d DICOM) check() error {
	for _, aet := range d.AETs {
		if !validAET(aet) {
			return &hub.Error{Kind: hub.Invalid, Path: "aet", Msg: fmt.Sprintf("%q is no application entity title", aet),
				Hint: "1 to 16 printable ASCII characters, no backslash, no space at either end (PS3.5 6.2, AE)"}
		}
	}
	for title := range d.Destinations {
		address, _ := d.Destination(title)
		host, port, err := net.SplitHostPort(address)
		n, perr := strconv.Atoi(port)
		if err != nil || perr != nil || host == "" || n < 1 || n > 65535 {
			return &hub.Error{Kind: hub.Invalid, Path: "aet", Msg: fmt.Sprintf("%.64q is not where %s can listen", address, title), Hint: "TITLE@HOST:PORT, or TITLE@tls://HOST:PORT"}
		}
	}
	return nil
}
