package overlay

import (
	"strings"
	"testing"
	"time"
)

func TestRevocationValidate(t *testing.T) {
	t.Parallel()
	good := RevocationSpec{Of: HolderNode, Holder: "a", Epoch: "e", Since: time.Unix(1, 0), Until: time.Unix(2, 0)}
	for _, tt := range []struct {
		name   string
		change func(*Revocation)
		want   string
	}{
		{"good", func(*Revocation) {}, ""},
		{"of nobody", func(r *Revocation) { r.Spec.Of = "" }, `revocation node-a: of "": want node or person`},
		{"another's", func(r *Revocation) { r.Spec.Of = HolderPerson }, "revocation node-a: that of person a is named person-a"},
		{"no epoch", func(r *Revocation) { r.Spec.Epoch = "" }, "revocation node-a: a revocation has an epoch, a beginning and an end"},
		{"no time", func(r *Revocation) { r.Spec.Until = r.Spec.Since }, "revocation node-a: a revocation has an epoch, a beginning and an end"},
		{"no name", func(r *Revocation) { r.Name, r.Spec.Holder = "node-", "" }, `revocation "node-": a name neither begins nor ends with a dash`},
	} {
		r := &Revocation{Meta: Meta{Kind: KindRevocation, Name: "node-a"}, Spec: good}
		tt.change(r)
		check(t, r.Validate(), tt.want)
	}
}

// Every holder has a revocation of its own, also those with the longest names.
func TestRevocationName(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", MaxName-1)
	seen := map[string]bool{}
	for _, of := range []Holder{HolderNode, HolderPerson} {
		for _, holder := range []string{"a", long + "a", long + "b", long[:MaxName-5], long[:MaxName-7]} {
			name := RevocationName(of, holder)
			if err := CheckName("revocation", name); err != nil || seen[name] {
				t.Errorf("%s %s: %s, %v", of, holder, name, err)
			}
			seen[name] = true
		}
	}
}
