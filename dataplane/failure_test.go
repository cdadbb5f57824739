package dataplane

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"weft/overlay"
)

type failure struct {
	network overlay.NetworkName
	port    overlay.EndpointName
}

func (f failure) Error() string { return fmt.Sprintf("%s/%s", f.network, f.port) }

func (f failure) Concerns() (overlay.NetworkName, overlay.EndpointName) { return f.network, f.port }

func TestConcerning(t *testing.T) {
	t.Parallel()
	all := errors.Join(
		failure{"blue", ""}, errors.Join(failure{"green", "web"}, failure{"green", "db"}), errors.New("host"))
	for _, tt := range []struct {
		err     error
		network overlay.NetworkName
		port    overlay.EndpointName
		want    string
	}{
		{nil, "blue", "", ""},
		{failure{"blue", ""}, "green", "", ""},
		{all, "blue", "", "blue/ host"},
		{all, "blue", "web", "blue/ host"},
		{all, "green", "", "green/web green/db host"},
		{all, "green", "db", "green/db host"},
		{all, "red", "web", "host"},
	} {
		got := ""
		if err := Concerning(tt.err, tt.network, tt.port); err != nil {
			got = strings.ReplaceAll(err.Error(), "\n", " ")
		}
		if got != tt.want {
			t.Errorf("%s/%s: got %q, want %q", tt.network, tt.port, got, tt.want)
		}
	}
}
