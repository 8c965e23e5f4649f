package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// startOrthanc runs an Orthanc of the machine's own with its storage beside the hub's, or returns errNoOrthanc.
func (b *bench) startOrthanc(ctx context.Context) (*Site, error) {
	binary, plugin := findOrthanc()
	if binary == "" || plugin == "" {
		return nil, errNoOrthanc
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	network, err := freeAddress()
	if err != nil {
		return nil, err
	}
	_, networkPort, _ := net.SplitHostPort(network)
	folder := filepath.Join(b.folder, "orthanc")
	if err := os.Mkdir(folder, 0o700); err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	networkNumber, err := strconv.Atoi(networkPort)
	if err != nil {
		return nil, err
	}
	// What is not named here is as Orthanc has it by default: SQLite, storage area synced, 128 MB storage cache.
	config, err := json.Marshal(map[string]any{
		"Name": "bench", "StorageDirectory": folder, "IndexDirectory": folder, "StorageCompression": false, "OverwriteInstances": false,
		"HttpPort": number, "RemoteAccessAllowed": false, "AuthenticationEnabled": false,
		"DicomServerEnabled": true, "DicomPort": networkNumber, "DicomAet": "ORTHANC", "DicomAlwaysAllowFind": true,
		"HttpThreadsCount": 50, "KeepAlive": true, "TcpNoDelay": true,
		"Plugins":  []string{plugin},
		"DicomWeb": map[string]any{"Enable": true, "Root": "/dicom-web/", "EnableWado": false, "Ssl": false, "Host": "localhost"},
	})
	if err != nil {
		return nil, err
	}
	path := folder + ".json"
	if err := os.WriteFile(path, config, 0o600); err != nil {
		return nil, err
	}
	p, err := start(folder+".log", binary, path)
	if err != nil {
		return nil, err
	}
	b.running = append(b.running, p)
	site := &Site{Name: "Orthanc", Address: address, DICOM: network, title: "ORTHANC", pid: p.cmd.Process.Pid}
	if err := p.ready(ctx, site, "/dicom-web/studies?limit=1"); err != nil {
		return nil, err
	}
	c := &conn{site: site}
	defer c.close()
	a, err := c.do(ctx, site.get("/system", "application/json"))
	var about struct{ Version string }
	if err == nil && json.Unmarshal(a.Body, &about) == nil {
		site.Name = fmt.Sprintf("Orthanc %s", about.Version)
	}
	return site, err
}

func findOrthanc() (binary, plugin string) {
	for _, name := range []string{"Orthanc", "/usr/sbin/Orthanc", "/usr/local/sbin/Orthanc"} {
		if found, err := exec.LookPath(name); err == nil {
			binary = found
			break
		}
	}
	for _, folder := range []string{"/usr/share/orthanc/plugins", "/usr/lib/orthanc", "/usr/local/share/orthanc/plugins"} {
		if found, _ := filepath.Glob(filepath.Join(folder, "libOrthancDicomWeb.so*")); len(found) > 0 {
			return binary, found[0]
		}
	}
	return binary, ""
}
