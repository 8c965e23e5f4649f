package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"concord/hub/recognition"
	"concord/internal/dicom"
)

// Tags that say what a study shows.
const (
	tagModality             dicom.Tag = 0x00080060
	tagStudyDescription     dicom.Tag = 0x00081030
	tagSeriesDescription    dicom.Tag = 0x0008103E
	tagBodyPart             dicom.Tag = 0x00180015
	tagProtocol             dicom.Tag = 0x00181030
	tagLaterality           dicom.Tag = 0x00200060
	tagImageLaterality      dicom.Tag = 0x00200062
	tagRequestedDescription dicom.Tag = 0x00321060
)

// listImages tells what the studies in DICOM files are taken for, and which of their descriptions nobody can read.
func listImages(w io.Writer, catalogue *recognition.Catalogue, paths []string) error {
	studies := map[string]*recognition.Exam{}
	for _, path := range paths {
		err := filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			return addImage(studies, file)
		})
		if err != nil {
			return err
		}
	}
	read := 0
	for _, uid := range slices.Sorted(maps.Keys(studies)) {
		e := studies[uid]
		item := catalogue.ItemShown(*e)
		name := "-"
		if item != nil {
			name, read = item.ID, read+1
		}
		fmt.Fprintf(w, "%-30s %s [%s] %s; %s; unread: %s\n", name, strings.Join(e.Modalities, "+"), strings.Join(e.Regions, "+"),
			strings.Join(e.Text, " | "), strings.Join(e.Series, " | "), cmp.Or(strings.Join(catalogue.Unmapped(*e), " | "), "none"))
	}
	fmt.Fprintf(w, "%d studies by catalogue %s, %d of them an item of it\n", len(studies), catalogue.Version, read)
	return nil
}

// addImage joins a file to its study; what is no instance of DICOM is passed over.
func addImage(studies map[string]*recognition.Exam, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	h, err := dicom.ScanFile(bufio.NewReader(file), dicom.Limits{})
	if err != nil {
		return nil
	}
	e := studies[h.StudyInstanceUID]
	if e == nil {
		e = &recognition.Exam{}
		studies[h.StudyInstanceUID] = e
	}
	for a := range dicom.Attributes(dicom.AppendJSON(nil, h, dicom.JSONOptions{})) {
		for _, text := range a.Strings() {
			if text = strings.TrimSpace(text); text == "" {
				continue
			}
			switch a.Tag {
			case tagModality:
				e.Modalities = with(e.Modalities, text)
			case tagBodyPart:
				e.Regions = with(e.Regions, text)
			case tagStudyDescription, tagRequestedDescription:
				e.Text = with(e.Text, text)
			case tagSeriesDescription, tagProtocol:
				e.Series = with(e.Series, text)
			case tagLaterality, tagImageLaterality:
				e.Side |= map[string]recognition.Side{"L": recognition.Left, "R": recognition.Right, "B": recognition.Left | recognition.Right}[text]
			}
		}
	}
	return nil
}

func with(list []string, text string) []string {
	if slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}
