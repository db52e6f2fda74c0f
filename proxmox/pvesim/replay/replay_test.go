package replay

import (
	"os"
	"strings"
	"testing"
)

func TestTmp(t *testing.T) {
	opts := Options{}
	if m := os.Getenv("M"); m != "" {
		opts.Methods = strings.Split(m, ",")
	}
	opts.SchemaFile = os.Getenv("S")
	if err := Main(t.Context(), os.Stdout, strings.Split(os.Getenv("D"), ","), opts); err != nil {
		t.Fatal(err)
	}
}
