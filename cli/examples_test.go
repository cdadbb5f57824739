package cli

import (
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"weft/overlay"
)

// TestExampleFiles applies each file of examples/ twice to a world of its own:
// the first time everything is created, the second time nothing changes.
func TestExampleFiles(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../examples/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			w, err := newWorld(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := w.close(); err != nil {
					t.Error(err)
				}
			}()
			for _, want := range []string{"created", "unchanged"} {
				var stdout, stderr strings.Builder
				args := []string{"--credentials", w.dir + "/admin.json", "apply", "-f", file}
				if code := Run(t.Context(), args, strings.NewReader(""), &stdout, &stderr); code != exitOK {
					t.Fatalf("exit code %d: %s", code, stderr.String())
				}
				for line := range strings.Lines(stdout.String()) {
					if !strings.HasSuffix(line, " "+want+"\n") {
						t.Errorf("want %s: %s", want, line)
					}
				}
			}
			code := Run(t.Context(), []string{"--credentials", w.dir + "/admin.json", "diff", "-f", file}, strings.NewReader(""), io.Discard, io.Discard)
			if code != exitOK {
				t.Errorf("diff ends with %d", code)
			}
		})
	}
}

// TestEveryFieldIsExplained holds that the examples with every field have them all.
func TestEveryFieldIsExplained(t *testing.T) {
	t.Parallel()
	for file, spec := range map[string]reflect.Type{
		"every-field.yaml": reflect.TypeFor[overlay.NetworkSpec](), "every-field-tunnel.yaml": reflect.TypeFor[overlay.TunnelSpec](),
	} {
		text, err := os.ReadFile("../examples/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for f := range spec.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if !strings.Contains(string(text), "\n  "+name+":") {
				t.Errorf("examples/%s does not have %s", file, name)
			}
		}
	}
}
