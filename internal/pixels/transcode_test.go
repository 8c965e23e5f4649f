package pixels

import (
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"concord/hub"
	"concord/internal/dicom"
)

// transcodedTags are the attributes that Transcode may change or leave out.
func transcodedTags(tag dicom.Tag) bool {
	switch tag {
	case tagPhotometric, tagPlanar, tagOffsets, tagLengths, tagPixels, 0xFFFCFFFC:
		return false
	}
	return tag.Element() != 0
}

func TestTranscodedFilesHaveTheSameElementsAndNativePixels(t *testing.T) {
	dir := corpus(t)
	d := newDecoder(t)
	var files []string
	for _, folder := range []string{"transfer-syntax", "sop", "derived"} {
		found, err := filepath.Glob(filepath.Join(dir, folder, "*.dcm"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	count := 0
	for _, file := range files {
		s, err := storedOf(read(t, file))
		if err != nil || !Decodable(s.img.Syntax) || s.header.Size > 400<<10 {
			continue
		}
		count++
		for name, form := range map[string]Form{"explicit": {Implementation: "1.2.3"}, "implicit": {Implicit: true, Implementation: "1.2.3"}} {
			t.Run(name+" "+filepath.Base(file), func(t *testing.T) {
				var out bytes.Buffer
				if err := d.Transcode(t.Context(), &out, s.header, s.source, form); err != nil {
					t.Fatal(err)
				}
				again, err := storedOf(out.Bytes())
				if err != nil {
					t.Fatal(err)
				}
				if again.header.TransferSyntax != form.Syntax() {
					t.Errorf("the transfer syntax is %s", again.header.TransferSyntax)
				}
				before := dicom.Subset(nil, dicom.AppendJSON(nil, s.header, dicom.JSONOptions{}), transcodedTags)
				after := dicom.Subset(nil, dicom.AppendJSON(nil, again.header, dicom.JSONOptions{}), transcodedTags)
				if form.Implicit { // private attributes lose their VR
					before, after = withoutPrivate(before), withoutPrivate(after)
				}
				if !bytes.Equal(before, after) {
					t.Errorf("elements differ:\n%.600s\n%.600s", before, after)
				}
				_, want := decodeAll(t, d, s)
				if _, got := decodeAll(t, d, again); !bytes.Equal(got, want) {
					t.Error("the pixels differ")
				}
			})
		}
	}
	if count < 40 {
		t.Errorf("only %d files were transcoded", count)
	}
}

// withoutPrivate leaves out what PS3.5 lets change: the VR of private elements, and of unknown ones, is not in implicit VR.
func withoutPrivate(body []byte) []byte {
	return dicom.Subset(nil, body, func(tag dicom.Tag) bool { return !tag.Private() })
}

func TestABareDataSetIsTheFileWithoutItsMeta(t *testing.T) {
	s := openStored(t, filepath.Join(corpus(t), "transfer-syntax/MR_small_RLE.dcm"))
	d := newDecoder(t)
	var file, bare bytes.Buffer
	if err := errors.Join(d.Transcode(t.Context(), &file, s.header, s.source, Form{}),
		d.Transcode(t.Context(), &bare, s.header, s.source, Form{Bare: true})); err != nil {
		t.Fatal(err)
	}
	if !bytes.HasSuffix(file.Bytes(), bare.Bytes()) || bytes.Contains(bare.Bytes(), []byte("DICM")) {
		t.Error("the bare data set is not what follows the meta information")
	}
}

func TestNothingIsWrittenWhereTheFirstFrameIsBroken(t *testing.T) {
	s := openStored(t, filepath.Join(corpus(t), "transfer-syntax/MR_small_jpeg_ls_lossless.dcm"))
	span := s.header.Frames.Spans(0)
	clear(s.file[span[0] : span[0]+100])
	var out bytes.Buffer
	err := newDecoder(t).Transcode(t.Context(), &out, s.header, s.source, Form{})
	if !hub.Is(err, hub.Invalid) || out.Len() != 0 {
		t.Errorf("%v after %d bytes", err, out.Len())
	}
}

func TestAnEncodingWithoutDecoderIsSaidSo(t *testing.T) {
	s := openStored(t, filepath.Join(corpus(t), "transfer-syntax/will-jxl.dcm"))
	err := newDecoder(t).Transcode(t.Context(), io.Discard, s.header, s.source, Form{})
	if !hub.Is(err, hub.Unsupported) || !strings.Contains(err.Error(), "retrieve it as stored") {
		t.Errorf("%v", err)
	}
}
