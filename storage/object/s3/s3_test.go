package s3

import (
	"testing"

	"concord/hub"
	"concord/storage/object/miniotest"
	"concord/storage/object/objecttest"
)

func TestS3KeepsTheContract(t *testing.T) {
	url := miniotest.Start(t)
	objecttest.Run(t, func(t *testing.T) hub.Objects { return open(t, url, Options{}) })
}

func open(t testing.TB, url string, opts Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), url, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
