// Package release says which version of Weft a program is. Both programs ask
// here, so that "weft version" and what a node reports can be compared.
package release

import "runtime/debug"

// Version is the module's version, or the commit that was built, or "devel"
// where the build knows neither.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	return of(info)
}

func of(info *debug.BuildInfo) string {
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "devel"
}
