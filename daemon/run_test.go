package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"weft/internal/testenv"
)

// TestUsage: what is called wrongly gets one line that says what to do, and exit code 2.
func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		name string
		env  map[string]string
		args []string
		want string
	}{
		{"unknown flag", nil, []string{"--undrlay", "192.0.2.1"}, "weftd: unknown flag --undrlay; weftd --help lists the flags"},
		{"unknown short flag", nil, []string{"agent", "-x"}, "weftd: unknown flag -x; weftd agent --help lists the flags"},
		{"no value", nil, []string{"agent", "--node"}, "weftd: --node needs a value; weftd agent --help lists the flags"},
		{"no duration", nil, []string{"--certificate-lifetime", "5"}, `weftd: --certificate-lifetime "5": want a length of time such as 90s, 30m or 720h; weftd --help lists the flags`},
		{"no duration in the environment", map[string]string{"WEFT_CERTIFICATE_LIFETIME": "long"}, nil, `weftd: WEFT_CERTIFICATE_LIFETIME="long": want a length of time such as 90s, 30m or 720h`},
		{"token as an argument", nil, []string{"agent", "weft1.x"}, `weftd: agent: unexpected argument "weft1.x"; weftd agent --help lists the flags`},
		{"port alone", nil, []string{"--listen", "7411"}, `weftd: --listen "7411": want an address and a port, or a port alone, such as 192.0.2.11:7411 or :7411`},
		{"no port", nil, []string{"server", "--listen", ":70000"}, `weftd: --listen ":70000": want an address and a port, or a port alone, such as 192.0.2.11:7411 or :7411`},
		{"no address", nil, []string{"--advertise", "a b"}, `weftd: --advertise "a b": want an address or a name, with a port or without, such as 192.0.2.11 or weft.example.net:7411`},
		{"no port to go by", nil, []string{"--advertise", "weft.example.net:0"}, `weftd: --advertise "weft.example.net:0": want an address or a name, with a port or without, such as 192.0.2.11 or weft.example.net:7411`},
		{"unknown command", nil, []string{"servr"}, `weftd: unknown command "servr"; want none or one of agent, down, local, server, version`},
		{"node name", nil, []string{"--node", "Web_1"}, `weftd: --node "Web_1": a name has lower-case letters, digits and dashes only`},
		{"node name from the environment", map[string]string{"WEFT_NODE": "-a"}, []string{"agent"}, `weftd: --node "-a": a name neither begins nor ends with a dash`},
		{"relative folder", nil, []string{"--state-dir", "weft"}, `weftd: folder "weft": want an absolute path`},
		{"log level", nil, []string{"--log-level", "loud"}, `weftd: --log-level "loud": want debug, info, warn or error`},
		{"short-lived certificates", nil, []string{"--certificate-lifetime", "1s"}, "weftd: --certificate-lifetime 1s: want 3s or more"},
		{"half a client certificate", nil, []string{"server", "--etcd-endpoints", "https://e:2379", "--etcd-cert", "c.pem"}, "weftd: --etcd-cert and --etcd-key go together"},
		{"CA without cluster", nil, []string{"server", "--etcd-ca", "ca.pem"}, "weftd: --etcd-ca and --etcd-cert are for --etcd-endpoints, which is missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for k, v := range tt.env {
				t.Setenv(k, v)
			}
			var out, errs bytes.Buffer
			code := Run(t.Context(), tt.args, &out, &errs)
			if code != 2 || strings.TrimSpace(errs.String()) != tt.want {
				t.Errorf("exit %d, %q; want 2 and %q", code, errs.String(), tt.want)
			}
		})
	}
}

// TestUnderlayElsewhere: an address that this host does not have is named, with those that it has.
func TestUnderlayElsewhere(t *testing.T) {
	testenv.NeedRoot(t)
	dir := t.TempDir()
	var out, errs bytes.Buffer
	code := Run(t.Context(), []string{
		"agent", "--state-dir", dir + "/state", "--run-dir", dir + "/run", "--node", "a", "--underlay", "192.0.2.250",
	}, &out, &errs)
	if code != 1 || !strings.Contains(errs.String(), "no interface of this host has that address") {
		t.Errorf("exit %d, %q", code, errs.String())
	}
}

func TestVersionNeedsNothing(t *testing.T) {
	var out, errs bytes.Buffer
	if code := Run(context.Background(), []string{"version"}, &out, &errs); code != 0 || !strings.HasPrefix(out.String(), "weftd ") {
		t.Errorf("exit %d, %q %q", code, out.String(), errs.String())
	}
}

// TestEveryFlagHasAVariable: units and labs set everything through the environment.
func TestEveryFlagHasAVariable(t *testing.T) {
	d := &daemon{}
	root := d.command()
	for _, c := range append(root.Commands(), root) {
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if variables[f.Name] == "" && f.Name != "help" && f.Name != "accept-store" { // accepting is for once
				t.Errorf("%s --%s has no environment variable", c.CommandPath(), f.Name)
			}
		})
	}
}

// TestToldToStop: who stops weftd while it waits for a server hears of no failure;
// what went wrong besides is one.
func TestToldToStop(t *testing.T) {
	t.Parallel()
	stopped, stop := context.WithCancel(t.Context())
	stop()
	joining := fmt.Errorf("join: %w", context.Canceled)
	for _, tt := range []struct {
		ctx  context.Context
		err  error
		want bool
	}{
		{stopped, joining, true},
		{stopped, errors.New("disk full"), false},
		{t.Context(), joining, false},
	} {
		if got := unlessTold(tt.ctx, tt.err) == nil; got != tt.want {
			t.Errorf("%v, %v: ignored %t", tt.ctx.Err(), tt.err, got)
		}
	}
}
