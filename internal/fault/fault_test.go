package fault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestCodeOf(t *testing.T) {
	inner := New(Locked, "guest 100 is locked")
	for name, c := range map[string]struct {
		err  error
		want Code
	}{
		"ours":           {inner, Locked},
		"wrapped by fmt": {fmt.Errorf("while stopping: %w", inner), Locked},
		"joined":         {errors.Join(io.EOF, inner), Locked},
		"outer wins":     {Wrap(Store, inner, "write failed"), Store},
		"cancelled":      {fmt.Errorf("read: %w", context.Canceled), Cancelled},
		"deadline":       {fmt.Errorf("read: %w", context.DeadlineExceeded), Timeout},
		"foreign":        {io.EOF, Internal},
	} {
		if got := CodeOf(c.err); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if got := Of(c.err); got.Code != c.want || !errors.Is(got, c.err) && !errors.Is(c.err, got) {
			t.Errorf("%s: Of gives %+v", name, got)
		}
	}
	if Of(nil) != nil {
		t.Error("no error became one")
	}
}

func TestError(t *testing.T) {
	for want, err := range map[string]*Error{
		"no route to pve1":           New(Unreachable, "no route to %s", "pve1"),
		"read failed: EOF":           Wrap(BadAnswer, io.EOF, "read failed"),
		"read failed: EOF was met":   Wrap(BadAnswer, io.EOF, "read failed: EOF was met"),
		"limit: must be at most 500": BadField("limit", "must be at most 500", "100"),
		"nothing failed":             Wrap(Internal, nil, "nothing failed"),
	} {
		if err.Error() != want {
			t.Errorf("%q, want %q", err.Error(), want)
		}
	}
	err := fmt.Errorf("call: %w", Wrap(Timeout, context.DeadlineExceeded, "pve1 is slow"))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error("the wrapped error is lost")
	}
}

// TestJSON pins the form that programs read.
func TestJSON(t *testing.T) {
	e := BadField("limit", "must be at most 500", "100").WithHint("ask for %d", 500).WithNext("find_guests").Retry()
	e.Err = io.EOF
	raw, err := json.Marshal(e)
	want := `{"code":"invalid_argument","message":"limit: must be at most 500","hint":"ask for 500","next":"find_guests","field":"limit",` +
		`"rule":"must be at most 500","example":"100","retryable":true}`
	if err != nil || string(raw) != want {
		t.Errorf("%s, %v", raw, err)
	}
	var back Error
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(*e, back, cmpopts.IgnoreFields(Error{}, "Err")); d != "" {
		t.Error(d)
	}
}
