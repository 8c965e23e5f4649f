package main

import (
	"context"
	"io"
)

func (r *rooms) demo(ctx context.Context, base string, out io.Writer) error { return nil }
