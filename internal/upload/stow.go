package upload

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"concord/hub"
)

// sendSTOW stores instances by one request (PS3.18 section 10.5), streamed from disk with a known length.
func sendSTOW(ctx context.Context, c *client, files []File) ([]outcome, error) {
	body := newMultipart(files, c.moved)
	ans, err := c.do(ctx, request{
		method: http.MethodPost, path: "/dicom-web/studies",
		media:  `multipart/related; type="application/dicom"; boundary=` + body.boundary,
		accept: "application/dicom+json", size: body.size, open: body.open, repeatable: true, local: body.local,
	})
	if i, local := body.broken(); local != nil {
		body.rewind()
		return sendWithout(ctx, c, files, i, refused("", local.Error()))
	}
	if err != nil {
		return nil, err
	}
	defer body.settle()
	switch ans.status {
	case http.StatusOK, http.StatusAccepted, http.StatusConflict:
		return resendUnnamed(ctx, c, files, stowOutcomes(ans, files, body))
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return nil, &hub.Error{Kind: hub.NotFound, Path: c.base + "/dicom-web/studies", Msg: "the hub has no such door (" + ans.line() + ")",
			Hint: "--to is the hub's base URL, without /dicom-web"}
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		if len(files) > 1 {
			body.rewind()
			return sendSingly(ctx, c, files)
		}
	}
	o := ans.refusal()
	o.again = ans.status == 0 // alone, it may get through
	return each(files, o), nil
}

// sendSingly repeats a batch file by file, so that one bad file never fails its neighbours.
func sendSingly(ctx context.Context, c *client, files []File) ([]outcome, error) {
	all := make([]outcome, 0, len(files))
	for _, f := range files {
		one, err := sendSTOW(ctx, c, []File{f})
		if err != nil {
			return nil, err
		}
		all = append(all, one...)
	}
	return all, nil
}

// resendUnnamed sends those files of a batch alone that the answer did not name: the hub could not read as much as
// their UIDs, and says why only to who asks for one.
func resendUnnamed(ctx context.Context, c *client, files []File, all []outcome) ([]outcome, error) {
	for i := range all {
		if !all[i].unnamed || len(files) == 1 {
			continue
		}
		one, err := sendSTOW(ctx, c, files[i:i+1])
		if err != nil {
			return nil, err
		}
		all[i] = one[0]
	}
	return all, nil
}

// sendWithout repeats a batch without file i, whose outcome is known.
func sendWithout(ctx context.Context, c *client, files []File, i int, o outcome) ([]outcome, error) {
	rest := append(append([]File(nil), files[:i]...), files[i+1:]...)
	var all []outcome
	if len(rest) > 0 {
		var err error
		if all, err = sendSTOW(ctx, c, rest); err != nil {
			return nil, err
		}
	}
	return append(append(append([]outcome(nil), all[:i]...), o), all[i:]...), nil
}

func each(files []File, o outcome) []outcome {
	all := make([]outcome, len(files))
	for i := range all {
		all[i] = o
	}
	return all
}

// stowAnswer is the part of the Store Instances Response (PS3.18 Annex I) that says what became of each instance.
type stowAnswer struct {
	Failed     sequence `json:"00081198"`
	Referenced sequence `json:"00081199"`
	Others     sequence `json:"0008119A"` // failures of instances that the hub could not tell
}

type sequence struct {
	Value []struct {
		Instance texts   `json:"00081155"`
		Failure  numbers `json:"00081197"`
		Warning  numbers `json:"00081196"`
		Comment  texts   `json:"00000902"` // Error Comment, PS3.7 Annex C
	}
}

type texts struct{ Value []string }

type numbers struct{ Value []uint16 }

func (s texts) first() string {
	if len(s.Value) == 0 {
		return ""
	}
	return s.Value[0]
}

func (n numbers) first() uint16 {
	if len(n.Value) == 0 {
		return 0
	}
	return n.Value[0]
}

// stowOutcomes matches the answer to the files by SOP Instance UID. Where the answer does not name a
// file, the status decides: 200 says that all were stored, anything else that this one was not.
func stowOutcomes(ans *answer, files []File, body *multipart) []outcome {
	var stow stowAnswer
	if err := json.Unmarshal(ans.body, &stow); err != nil && ans.status != http.StatusOK {
		return each(files, refused(ans.code(), "the hub's answer cannot be read"))
	}
	known := map[string]outcome{}
	for _, item := range stow.Referenced.Value {
		o := outcome{status: Sent}
		if w := item.Warning.first(); w != 0 {
			o.code, o.reason = hexCode(w), or(item.Comment.first(), warningText(w))
		}
		known[item.Instance.first()] = o
	}
	failures := append(stow.Failed.Value, stow.Others.Value...)
	for _, item := range failures {
		o := failure(item.Failure.first())
		o.reason = or(item.Comment.first(), o.reason)
		if id := item.Instance.first(); id != "" || len(files) == 1 { // several without a UID cannot be told apart
			known[id] = o
		}
	}
	all := make([]outcome, len(files))
	for i, f := range files {
		o, named := known[f.id]
		if !named && len(files) == 1 && len(known) == 1 {
			for _, o = range known {
				named = true
			}
		}
		switch {
		case named:
			all[i] = o
		case ans.status == http.StatusOK && len(failures) == 0:
			all[i] = outcome{status: Sent}
		default:
			all[i] = refused(ans.code(), "the hub's answer does not name this instance")
			all[i].unnamed = true
		}
		all[i].sha256 = body.digest(i)
	}
	return all
}

func or(said, otherwise string) string {
	if said != "" {
		return said
	}
	return otherwise
}

const duplicateInstance = 0x0111

// failure reads a Failure Reason (0008,1197), PS3.18 Table I.2-2 and PS3.7 Annex C.
func failure(code uint16) outcome {
	o := refused(hexCode(code), "")
	switch {
	case code == duplicateInstance:
		return outcome{status: There, code: hexCode(code)}
	case code == 0x0110:
		o.reason, o.again = "processing failure", true
	case code == 0x0117:
		o.reason = "invalid instance"
	case code == 0x0122:
		o.reason = "SOP class not supported"
	case code == 0x0124:
		o.reason = "not authorised"
	case code == 0xC122:
		o.reason = "transfer syntax not supported"
	case code>>8 == 0xA7:
		o.reason, o.again = "the hub is out of resources", true
	case code>>8 == 0xA9:
		o.reason = "the data set does not match its SOP class"
	case code>>12 == 0xC:
		o.reason = "the hub cannot understand it"
	}
	return o
}

// warningText reads a Warning Reason (0008,1196), PS3.18 Table I.2-1.
func warningText(code uint16) string {
	switch code {
	case 0xB000:
		return "stored, elements coerced"
	case 0xB006:
		return "stored, elements discarded"
	case 0xB007:
		return "stored, though it does not match its SOP class"
	}
	return "stored with a warning"
}

func hexCode(code uint16) string { return fmt.Sprintf("%04XH", code) }
