package stock

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weft/internal/testenv"
	"weft/trace"
)

// goldenHead stands at the top of encap's testdata of the kernel.
const goldenHead = `# Frames of the tunnel devices of Debian's Linux 6.12, as go test ./test/stock -run TestHeaders
# captures them on each run, and writes them here with -update. What the kernel chooses by chance
# is replaced: IPv4's identification by 0, and UDP source ports by 50000. The comment above each is
# what tshark 4.0 finds in it: protocols, then VNI or key, GRE's checksum and number.
#
#   NAME, NAME6: over IPv4 and IPv6; *-v6: with IPv6 inside where there is IPv4, too; *-limit: with
#   the kernel's tunnel encapsulation limit; *-key, -csum, -seq, -all: what GRE has. The devices are
#   in test/stock/wrapping_test.go.
`

// tsharkSays is what tshark finds in each frame; nothing of that may be wrong.
func tsharkSays(t *testing.T, frames map[string][]byte) map[string]string {
	t.Helper()
	testenv.Need(t, "tshark")
	file := filepath.Join(t.TempDir(), "pcap")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := trace.NewPcapWriter(f)
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(frames))
	for _, name := range names {
		if err := w.Write(trace.Frame{Data: frames[name]}); err != nil {
			t.Fatal(err)
		}
	}
	fields := []string{"frame.protocols", "vxlan.vni", "geneve.vni", "gre.key", "gre.checksum.status", "gre.sequence_number", "_ws.malformed"}
	argv := []string{"tshark", "-n", "-r", file, "-d", "udp.port==8285,ip", "-T", "fields", "-E", "separator= "}
	for _, f := range fields {
		argv = append(argv, "-e", f)
	}
	lines := strings.Split(strings.TrimRight(testenv.Output(t, "", argv...), "\n"), "\n")
	if len(lines) != len(names) {
		t.Fatalf("tshark says %q of %d frames", lines, len(names))
	}
	said := map[string]string{}
	for i, name := range names {
		said[name] = strings.Join(strings.Fields(lines[i]), " ")
		if strings.Contains(lines[i], "alformed") {
			t.Errorf("%s is malformed: %s", name, lines[i])
		}
	}
	return said
}
