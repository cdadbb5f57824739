package ebpf

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"weft/internal/testenv"
)

// The generated files are those that go generate makes of bpf/*.
func TestGenerated(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "clang-16", "llvm-strip-16")
	source, err := os.ReadFile("generate.go")
	if err != nil {
		t.Fatal(err)
	}
	_, line, ok := strings.Cut(string(source), "//go:generate go run github.com/cilium/ebpf/cmd/bpf2go ")
	if !ok {
		t.Fatal("generate.go has no such directive")
	}
	// The compiler gets a copy, so that the test cache knows what this test depends on.
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "bpf"), os.DirFS("bpf")); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"run", "github.com/cilium/ebpf/cmd/bpf2go", "-output-dir", dir}, strings.Fields(line)...)
	args[slices.Index(args, "bpf/weft.c")] = filepath.Join(dir, "bpf/weft.c")
	if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	const stem = "programs_bpfel"
	if !bytes.Equal(read(t, stem+".go"), read(t, filepath.Join(dir, stem+".go"))) {
		t.Errorf("%s.go is not current: run go generate", stem)
	}
	want, have := programsIn(t, filepath.Join(dir, stem+".o")), programsIn(t, stem+".o")
	for name, code := range want {
		if !bytes.Equal(have[name], code) {
			t.Errorf("%s in %s.o is not current: run go generate", name, stem)
		}
		delete(have, name)
	}
	for name := range have {
		t.Errorf("%s in %s.o is too many: run go generate", name, stem)
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// programsIn are the instructions of an object file's programs, and what its maps are.
// (The rest of it depends on where it was compiled.)
func programsIn(t *testing.T, file string) map[string][]byte {
	t.Helper()
	spec, err := ebpf.LoadCollectionSpec(file)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]byte{}
	for name, p := range spec.Programs {
		var code bytes.Buffer
		if err := p.Instructions.Marshal(&code, binary.LittleEndian); err != nil {
			t.Fatal(err)
		}
		found["program "+name] = code.Bytes()
	}
	for name, m := range spec.Maps {
		found["map "+name] = []byte(m.String())
	}
	return found
}
