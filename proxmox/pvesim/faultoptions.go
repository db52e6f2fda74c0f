package pvesim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// options are a fault's key=value pairs.
type options map[string]string

func parseOptions(s string) (options, error) {
	o := options{}
	for part := range strings.SplitSeq(s, ",") {
		if part == "" {
			continue
		}
		k, v, ok := strings.Cut(part, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not key=value", part)
		}
		o[k] = v
	}
	return o, nil
}

// fit checks that all keys are known to the knob, that the needed ones are there, and that numbers and durations are.
func (o options) fit(k knob) error {
	known := strings.Fields(strings.ReplaceAll(k.takes, "!", "") + " " + everyKnob)
	for key, v := range o {
		if !slices.Contains(known, key) {
			return fmt.Errorf("unknown option %s, known are %s", key, strings.Join(known, ", "))
		}
		if err := wellFormed(key, v); err != nil {
			return err
		}
	}
	for key := range strings.FieldsSeq(k.takes) {
		if name, needed := strings.CutSuffix(key, "!"); needed && o[name] == "" {
			return fmt.Errorf("option %s is missing", name)
		}
	}
	return nil
}

func wellFormed(key, v string) error {
	var err error
	switch key {
	case "vmid", "n", "after", "count", "bytes", "status", "lines", "at":
		if _, err = strconv.Atoi(v); err != nil {
			return fmt.Errorf("%s=%s is not a number", key, v)
		}
	case "by", "ttl", "retry":
		if _, err = time.ParseDuration(v); err != nil {
			return fmt.Errorf("%s=%s is not a duration such as 5s", key, v)
		}
	}
	return nil
}

func (o options) num(key string, other int) int {
	if n, err := strconv.Atoi(o[key]); err == nil {
		return n
	}
	return other
}

func (o options) dur(key string, other time.Duration) time.Duration {
	if d, err := time.ParseDuration(o[key]); err == nil {
		return d
	}
	return other
}

func (o options) str(key, other string) string {
	if o[key] == "" {
		return other
	}
	return o[key]
}
