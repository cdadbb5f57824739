package output

import (
	"fmt"
	"strings"
	"time"
)

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// Join prints a list of values, "a, b".
func Join[T any](list []T) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = fmt.Sprint(v)
	}
	return strings.Join(texts, ", ")
}

// Duration prints a length of time with its two largest units, whole seconds at
// the finest: "0s", "12s", "3m12s", "2h5m", "9d4h". A negative one stands for
// "not known" and prints as nothing.
func Duration(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 0:
		return ""
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return pair(d, time.Minute, "m", time.Second, "s")
	case d < day:
		return pair(d, time.Hour, "h", time.Minute, "m")
	}
	return pair(d, day, "d", time.Hour, "h")
}

func pair(d, large time.Duration, largeUnit string, small time.Duration, smallUnit string) string {
	text := fmt.Sprintf("%d%s", d/large, largeUnit)
	if rest := d % large / small; rest > 0 {
		text += fmt.Sprintf("%d%s", rest, smallUnit)
	}
	return text
}

// Since prints how long ago t is; nothing for the zero time. A time that is
// ahead of this host's clock counts as now.
func Since(now, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return Duration(max(0, now.Sub(t)))
}

// YesNo prints a truth value.
func YesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
