package overlay

import "testing"

func TestCount(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		c    Count
		want string
	}{
		{Count{}, ""},
		{Count{Packets: 1}, "1 (0 B)"},
		{Count{1, 999}, "1 (999 B)"},
		{Count{2, 1000}, "2 (1.0 kB)"},
		{Count{2, 1949}, "2 (1.9 kB)"},
		{Count{2, 999949}, "2 (999.9 kB)"},
		{Count{2, 999951}, "2 (1.0 MB)"},
		{Count{3, 2_500_000_000}, "3 (2.5 GB)"},
		{Count{3, 1<<64 - 1}, "3 (18.4 EB)"},
	} {
		if got := tt.c.String(); got != tt.want {
			t.Errorf("%#v: got %q, want %q", tt.c, got, tt.want)
		}
	}
	a, b := Traffic{From: Count{1, 2}, To: Count{3, 4}}, Traffic{From: Count{10, 20}, To: Count{30, 40}}
	if got, want := a.Plus(b), (Traffic{From: Count{11, 22}, To: Count{33, 44}}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
