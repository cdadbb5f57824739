// Package manifest reads resources from YAML, as users write them.
//
// It is strict: an unknown field, a field given twice, or a value of the wrong
// type is an error that says where it stands, and nothing of the file is used
// then. The structs of overlay are the schema: their JSON names are the
// fields' names, and types that read themselves from text (addresses, MACs,
// times) are asked to.
//
// A file holds one or more documents; a document is one resource or a list of
// them, so that what "weft get" prints as YAML or as JSON can be read back.
// What the store sets (UID, generation, revision, time of creation) and
// reports (status) is read, checked, and left out of the result.
//
// Do not add defaults here: what a manifest leaves out stays zero.
package manifest
