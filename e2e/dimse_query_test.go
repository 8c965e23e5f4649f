package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"concord/e2e/hubproc"
	"concord/internal/dicom"
)

// dicomNode is a hub with a DICOM listener, and the application entities of its member: those that call from here, and one
// that takes instances.
type dicomNode struct {
	*corpusHub
	host, port string // of the hub
	ours       string // the port of the member's TAKER and PYNET
}

func startDICOM(t *testing.T) *dicomNode {
	t.Helper()
	address, taker := hubproc.FreeAddress(t), hubproc.FreeAddress(t)
	n := &dicomNode{}
	n.host, n.port, _ = net.SplitHostPort(address)
	_, n.ours, _ = net.SplitHostPort(taker)
	n.corpusHub = startCorpusHub(t, "--dimse", address)
	n.Stores.Must(t, "member", "dicom", "village", "--aet", "STATION,TAKER@"+taker+",PYNET@"+taker+",NOWHERE")
	time.Sleep(time.Second) // until the hub has looked at its members again
	return n
}

// tool runs one of dcmtk's network tools as STATION and returns all that it printed.
func (n *dicomNode) tool(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		missing(t, name+" is not in PATH")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, append([]string{"-v", "-aet", "STATION", "-aec", "CONCORD", n.host, n.port}, args...)...)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// find lists the values of an attribute that findscu shows, sorted.
func (n *dicomNode) find(t *testing.T, attribute string, keys ...string) []string {
	t.Helper()
	args := []string{"-S"}
	for _, k := range append(keys, attribute) {
		args = append(args, "-k", k)
	}
	out, err := n.tool(t, "findscu", args...)
	if err != nil || !strings.Contains(out, "Received Final Find Response (Success)") {
		t.Fatalf("findscu %v: %v\n%s", keys, err, out)
	}
	var values []string
	_, responses, _ := strings.Cut(out, "Find Response")
	for _, line := range strings.Split(responses, "\n") {
		if _, rest, ok := strings.Cut(line, "["); ok && strings.HasSuffix(strings.TrimSpace(line), attribute) {
			value, _, _ := strings.Cut(rest, "]")
			values = append(values, strings.TrimRight(value, "\x00 "))
		}
	}
	slices.Sort(values)
	return values
}

// corpusInstances are real files of many classes and syntaxes, one for each SOP Instance UID.
func corpusInstances(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, folder := range []string{"charset", "transfer-syntax", "series-ct-3", "sop"} {
		paths, _ := filepath.Glob(filepath.Join(corpusDir(t), "dicom", folder, "*.dcm"))
		for _, path := range paths {
			h, err := dicom.ScanFile(bytes.NewReader(readFile(t, path)), dicom.Limits{})
			if err == nil && files[h.SOPInstanceUID] == "" && !h.Bare && h.Size < 4<<20 {
				files[h.SOPInstanceUID] = path
			}
		}
	}
	return files
}

// dataSet is a file behind preamble and group 2.
func dataSet(file []byte) []byte {
	at := 132
	for at+8 <= len(file) && binary.LittleEndian.Uint16(file[at:]) == 2 {
		size := int(binary.LittleEndian.Uint16(file[at+6:]))
		at += 8
		if vr := string(file[at-4 : at-2]); vr == "OB" || vr == "UN" {
			size = int(binary.LittleEndian.Uint32(file[at:]))
			at += 4
		}
		at += size
	}
	return file[at:]
}

// TestWorkstationsFindAndFetchByDIMSE stores files over HTTP and asks for them with dcmtk's tools.
func TestWorkstationsFindAndFetchByDIMSE(t *testing.T) {
	t.Parallel()
	n := startDICOM(t)
	client := n.Client(n.village)
	paths, _ := filepath.Glob(filepath.Join(corpusDir(t), "dicom", "series-ct-3", "*.dcm"))
	want := map[string][]byte{}
	var study string
	for _, path := range paths {
		data := readFile(t, path)
		if a, err := client.Store(data); err != nil || a.Status != 200 {
			t.Fatalf("store: %v %v", a, err)
		}
		h, err := dicom.ScanFile(bytes.NewReader(data), dicom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		study, want[h.SOPInstanceUID] = h.StudyInstanceUID, dataSet(data)
	}
	first, err := dicom.ScanFile(bytes.NewReader(readFile(t, paths[0])), dicom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	patient, date := first.Text(0x00100020), first.Text(0x00080020)
	for name, keys := range map[string][]string{
		"everything":        {"QueryRetrieveLevel=STUDY"},
		"by patient":        {"QueryRetrieveLevel=STUDY", "PatientID=" + patient},
		"by wildcard":       {"QueryRetrieveLevel=STUDY", "PatientID=" + patient[:2] + "*"},
		"by date":           {"QueryRetrieveLevel=STUDY", "StudyDate=" + date},
		"by open date":      {"QueryRetrieveLevel=STUDY", "StudyDate=" + date + "-"},
		"by modality":       {"QueryRetrieveLevel=STUDY", "ModalitiesInStudy=CT"},
		"by a list of UIDs": {"QueryRetrieveLevel=STUDY", `StudyInstanceUID=1.2.3\` + study},
	} {
		if found := n.find(t, "StudyInstanceUID", keys...); !slices.Equal(found, []string{study}) {
			t.Errorf("%s finds %q", name, found)
		}
	}
	if found := n.find(t, "StudyInstanceUID", "QueryRetrieveLevel=STUDY", "PatientID=nobody"); found != nil {
		t.Errorf("nobody's studies are %q", found)
	}
	if found := n.find(t, "SOPInstanceUID", "QueryRetrieveLevel=IMAGE", "StudyInstanceUID="+study); len(found) != len(want) {
		t.Errorf("the study has images %q", found)
	}
	if out, _ := n.tool(t, "findscu", "-S", "-k", "QueryRetrieveLevel=PATIENT"); !strings.Contains(out, "DataSetDoesNotMatchSOPClass") && !strings.Contains(out, "Identifier does not match SOP class") {
		t.Errorf("Study Root has no patient level, and the hub says\n%s", out)
	}

	t.Run("C-GET brings the bytes of each data set, or its values in the syntax agreed on", func(t *testing.T) {
		folder := t.TempDir()
		out, err := n.tool(t, "getscu", "-S", "+B", "-od", folder, "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID="+study)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		sameDataSets(t, folder, want)
	})
	t.Run("C-GET without a key at its level is refused", func(t *testing.T) {
		if out, _ := n.tool(t, "getscu", "-S", "-k", "QueryRetrieveLevel=SERIES", "-k", "StudyInstanceUID="+study); !strings.Contains(out, "DataSetDoesNotMatchSOPClass") {
			t.Errorf("the hub says\n%s", out)
		}
	})
	t.Run("C-MOVE and forwarding send to a known application entity", func(t *testing.T) {
		folder := t.TempDir()
		startTaker(t, n, folder)
		out, err := n.tool(t, "movescu", "-S", "-aem", "TAKER", "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID="+study)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		sameDataSets(t, folder, want)
		for _, path := range glob(folder) {
			os.Remove(path)
		}
		n.Stores.Must(t, "forward", study, "--to", "TAKER")
		await(t, "the forwarded instances", func() bool { return len(glob(folder)) == len(want) })
		if _, errs, err := n.Stores.Command(t, "forward", "1.2.3.4.5", "--to", "TAKER"); err == nil || !strings.Contains(errs, "there is no study 1.2.3.4.5") {
			t.Errorf("a study that the hub does not have is to be forwarded: %v %s", err, errs)
		}
	})
	t.Run("C-MOVE to a title without an address is refused", func(t *testing.T) {
		for _, title := range []string{"NOWHERE", "UNKNOWN"} {
			if out, err := n.tool(t, "movescu", "-S", "-aem", title, "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID="+study); err == nil && !strings.Contains(out, "MoveDestination") && !strings.Contains(out, "Move Destination unknown") {
				t.Errorf("%s: the hub says\n%s", title, out)
			}
		}
	})
}

// TestForwardingIsTriedAgainUntilItIsTaken kills the hub between the promise and the destination's coming up.
func TestForwardingIsTriedAgainUntilItIsTaken(t *testing.T) {
	t.Parallel()
	n := startDICOM(t)
	paths, _ := filepath.Glob(filepath.Join(corpusDir(t), "dicom", "series-ct-3", "*.dcm"))
	data := readFile(t, paths[0])
	if a, err := n.Client(n.village).Store(data); err != nil || a.Status != 200 {
		t.Fatalf("store: %v %v", a, err)
	}
	h, err := dicom.ScanFile(bytes.NewReader(data), dicom.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	n.Stores.Must(t, "forward", h.StudyInstanceUID, "--to", "TAKER")
	await(t, "a try in vain", func() bool { return strings.Contains(n.Log(), "an errand failed") })
	n.Kill()
	folder := t.TempDir()
	startTaker(t, n, folder)
	n.Restart()
	await(t, "the forwarded instance", func() bool { // storescp writes it as it comes
		paths := glob(folder)
		if len(paths) != 1 {
			return false
		}
		info, err := os.Stat(paths[0])
		return err == nil && info.Size() > int64(len(dataSet(data)))
	})
	sameDataSets(t, folder, map[string][]byte{h.SOPInstanceUID: dataSet(data)})
}

// TestWhatOthersWroteOddlyIsMovedAllTheSame: a deflated stream of odd length gets the byte that PS3.5 A.5 wants, which dcmtk
// insists on, and a data set without SOP class goes as the class that its group 2 names.
func TestWhatOthersWroteOddlyIsMovedAllTheSame(t *testing.T) {
	t.Parallel()
	n := startDICOM(t)
	odd := readFile(t, filepath.Join(corpusDir(t), "dicom", "derived", "CT_small_deflated.dcm"))
	classless := readFile(t, filepath.Join(corpusDir(t), "dicom", "transfer-syntax", "MR_small.dcm"))
	at := bytes.Index(classless, []byte("\x08\x00\x16\x00UI"))
	classless = slices.Delete(classless, at, at+8+int(classless[at+6]))
	if len(dataSet(odd))%2 == 0 || len(dataSet(classless))%2 == 1 {
		t.Fatal("the files are not what the test is about")
	}
	folder := t.TempDir()
	startTaker(t, n, folder)
	want := map[string][]byte{}
	for _, file := range [][]byte{odd, classless} {
		if a, err := n.Client(n.village).Store(file); err != nil || a.Status/100 != 2 {
			t.Fatalf("store: %v %v", a, err)
		}
		h, err := dicom.ScanFile(bytes.NewReader(file), dicom.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		want[h.SOPInstanceUID] = append(dataSet(file), make([]byte, len(dataSet(file))%2)...)
		if out, err := n.tool(t, "movescu", "-S", "-aem", "TAKER", "-k", "0008,0052=STUDY", "-k", "0020,000D="+h.StudyInstanceUID); err != nil || !strings.Contains(out, "Received Final Move Response (Success)") {
			t.Errorf("movescu: %v\n%s", err, out)
		}
	}
	sameDataSets(t, folder, want)
}

// startTaker runs dcmtk's storescp as the member's application entity.
func startTaker(t *testing.T, n *dicomNode, folder string) {
	t.Helper()
	if _, err := exec.LookPath("storescp"); err != nil {
		missing(t, "storescp is not in PATH")
	}
	p := hubproc.NewProcess(t, "storescp", "storescp", "-aet", "TAKER", "+xa", "+B", "-od", folder, n.ours)
	p.Launch()
	await(t, "storescp", func() bool {
		c, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", n.ours), time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func glob(folder string) []string {
	paths, _ := filepath.Glob(filepath.Join(folder, "*"))
	return paths
}

// sameDataSets compares the files of a folder with the data sets wanted, by SOP Instance UID.
func sameDataSets(t *testing.T, folder string, want map[string][]byte) {
	t.Helper()
	got := map[string][]byte{}
	for _, path := range glob(folder) {
		data := readFile(t, path)
		h, err := dicom.ScanFile(bytes.NewReader(data), dicom.Limits{})
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		got[h.SOPInstanceUID] = dataSet(data)
	}
	if len(got) != len(want) {
		t.Errorf("%d instances came, %d were wanted", len(got), len(want))
	}
	for uid, data := range want {
		if !bytes.Equal(got[uid], data) && values(t, got[uid]) != values(t, data) {
			t.Errorf("%s came with other bytes: %d of %d", uid, len(got[uid]), len(data))
		}
	}
}

// values are those of a data set in either little endian syntax, group lengths aside, if they differ in that.
func values(t *testing.T, set []byte) string {
	t.Helper()
	syntax := "1.2.840.10008.1.2"
	if len(set) > 6 && set[4] >= 'A' && set[4] <= 'Z' {
		syntax += ".1"
	}
	h, err := dicom.ReadDataSet(bytes.NewReader(set), syntax, dicom.Limits{Inline: 4 << 20})
	if err != nil {
		t.Error(err)
		return ""
	}
	return string(dicom.AppendJSON(nil, h, dicom.JSONOptions{}))
}
