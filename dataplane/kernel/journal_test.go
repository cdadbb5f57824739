package kernel

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weft/internal/files"
	"weft/internal/testenv"
)

func none(string) bool { return false }

func newJournal(t *testing.T) journal {
	t.Helper()
	testenv.NeedRoot(t)
	return journal{file: filepath.Join(t.TempDir(), "sysctls.json"), host: testenv.Namespace(t), log: slog.New(slog.DiscardHandler)}
}

func value(t *testing.T, j journal, name string) string {
	t.Helper()
	v, err := j.read(name)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const (
	forward4 = "net/ipv4/ip_forward"
	forward6 = "net/ipv6/conf/all/forwarding"
)

func TestJournalRestores(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	for range 2 { // the second write must not forget what was before the first
		if err := j.set(forward4, "1"); err != nil {
			t.Fatal(err)
		}
	}
	if v := value(t, j, forward4); v != "1" {
		t.Fatalf("%s is %s", forward4, v)
	}
	restored, err := j.restore(none)
	if err != nil || !slices.Equal(restored, []string{forward4}) {
		t.Errorf("restored %v, %v", restored, err)
	}
	if v := value(t, j, forward4); v != "0" {
		t.Errorf("%s is %s after its restoration", forward4, v)
	}
	if _, err := os.Stat(j.file); !os.IsNotExist(err) {
		t.Errorf("the empty journal is still there: %v", err)
	}
	if restored, err := j.restore(none); err != nil || len(restored) != 0 {
		t.Errorf("again: %v, %v", restored, err)
	}
}

// TestJournalLeavesOthersAlone: what somebody else has changed since is theirs.
func TestJournalLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	if err := j.write(forward4, "1"); err != nil { // the administrator's own
		t.Fatal(err)
	}
	for name, v := range map[string]string{forward4: "1", forward6: "1"} {
		if err := j.set(name, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.write(forward6, "0"); err != nil { // changed since
		t.Fatal(err)
	}
	if restored, err := j.restore(none); err != nil || len(restored) != 0 {
		t.Errorf("restored %v, %v: want nothing", restored, err)
	}
	if v := value(t, j, forward4); v != "1" {
		t.Errorf("%s was on before Weft and is %s", forward4, v)
	}
}

func TestJournalKeeps(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	for _, name := range []string{forward4, forward6} {
		if err := j.set(name, "1"); err != nil {
			t.Fatal(err)
		}
	}
	restored, err := j.restore(func(name string) bool { return name == forward4 })
	if err != nil || !slices.Equal(restored, []string{forward6}) {
		t.Errorf("restored %v, %v", restored, err)
	}
	if restored, err = j.restore(none); err != nil || !slices.Equal(restored, []string{forward4}) {
		t.Errorf("restored %v, %v: want what was kept before", restored, err)
	}
}

// TestJournalOfAnEarlierBoot: a reboot has reset everything; nothing is put back.
func TestJournalOfAnEarlierBoot(t *testing.T) {
	t.Parallel()
	j := newJournal(t)
	if err := j.set(forward4, "1"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(j.file)
	if err != nil {
		t.Fatal(err)
	}
	boot, err := bootID()
	if err != nil {
		t.Fatal(err)
	}
	old := strings.ReplaceAll(string(text), boot, "another-boot")
	if err := os.WriteFile(j.file, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	if restored, err := j.restore(none); err != nil || len(restored) != 0 {
		t.Errorf("restored %v, %v: want nothing", restored, err)
	}
}

// TestJournalDamaged: a file that cannot be read is set aside; what is changed
// from then on is remembered again.
func TestJournalDamaged(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"empty": "", "cut off": `{"boot": "1", "sett`, "no JSON": "\x00\x00", "another form": `{"settings": 7}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j := newJournal(t)
			var said strings.Builder
			j.log = slog.New(slog.NewTextHandler(&said, nil))
			if err := os.WriteFile(j.file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if restored, err := j.restore(none); err != nil || len(restored) != 0 {
				t.Errorf("restored %v, %v", restored, err)
			}
			if got, err := os.ReadFile(j.file + files.Aside); err != nil || string(got) != text {
				t.Errorf("aside is %q, %v", got, err)
			}
			if strings.Count(said.String(), "\n") != 1 || !strings.Contains(said.String(), j.file) {
				t.Errorf("it says %q, want one line with the file", said.String())
			}
			if err := j.set(forward4, "1"); err != nil {
				t.Fatal(err)
			}
			if restored, err := j.restore(none); err != nil || !slices.Equal(restored, []string{forward4}) {
				t.Errorf("restored %v, %v", restored, err)
			}
		})
	}
}
