package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// callFHIR is callHub for the FHIR face, which says in an OperationOutcome what is wrong.
func callFHIR(ctx context.Context, o labOptions, method, path string, body []byte, read func(io.Reader) error) error {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(o.address, "/")+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask the hub: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+o.token)
	req.Header.Set("Accept", "application/fhir+json")
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/fhir+json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask the hub: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode < 300 {
		return read(res.Body)
	}
	var said struct {
		Issue []struct{ Diagnostics string }
	}
	text, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if json.Unmarshal(text, &said) != nil || len(said.Issue) == 0 {
		return errors.New("the hub answers " + res.Status)
	}
	return fmt.Errorf("the hub answers %s: %s", res.Status, said.Issue[0].Diagnostics)
}
