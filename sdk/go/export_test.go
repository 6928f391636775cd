package artificer

import (
	"maps"
	"slices"
)

// SafeMethods returns the full names of the methods that are retried.
func SafeMethods() []string { return slices.Sorted(maps.Keys(safeMethods())) }
