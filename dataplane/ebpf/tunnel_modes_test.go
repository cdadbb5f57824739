package ebpf

import (
	"strings"
	"testing"
)

func TestTunnelModes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ kernel, want string }{
		{"", "gre gre6 gretap gretap6 ipip ipip6 sit sit6"},
		{"vxlan", "vxlan geneve gre gre6 gretap gretap6 ipip ipip6 sit sit6"},
		{"vxlan vxlan6 gre", "vxlan vxlan6 geneve geneve6 gre gre6 gretap gretap6 ipip ipip6 sit sit6"},
	} {
		if got := strings.Join(TunnelModes(strings.Fields(test.kernel)), " "); got != test.want {
			t.Errorf("where the kernel has %q: %s, want %s", test.kernel, got, test.want)
		}
	}
}
