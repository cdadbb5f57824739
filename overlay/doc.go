// Package overlay holds the nouns of Weft: identifiers, resources, snapshots.
//
// Nothing here does anything beyond parsing, printing and validating, and the
// package imports nothing else of Weft's, so every layer can share its words.
// Identifiers are named types whose zero value is invalid. Values are compared
// with == or reflect.DeepEqual and are never changed after they were published:
// whoever wants a different one makes a copy.
//
// Do not add I/O, clocks, allocation of addresses or knowledge of the kernel.
package overlay
