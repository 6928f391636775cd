package artificer_test

import (
	"bytes"
	"flag"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write api.txt")

// TestAPI compares what the package exports with api.txt, so that a change of it is seen in review. The generated packages
// follow the contracts, which buf guards.
func TestAPI(t *testing.T) {
	api := exported(t)
	if *update {
		if err := os.WriteFile("api.txt", []byte(api), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile("api.txt")
	if err != nil {
		t.Fatal(err)
	}
	if api != string(written) {
		t.Errorf("the package exports other things than api.txt says: see the difference after go test -run TestAPI -update\n%s", api)
	}
}

// exported returns the package's exported declarations without bodies and comments, sorted.
func exported(t *testing.T) string {
	files := token.NewFileSet()
	sources := func(info fs.FileInfo) bool { return !strings.HasSuffix(info.Name(), "_test.go") }
	packages, err := parser.ParseDir(files, ".", sources, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range packages["artificer"].Files {
		ast.FileExports(file)
		for _, declared := range file.Decls {
			switch one := declared.(type) {
			case *ast.FuncDecl:
				if one.Recv != nil && !ast.IsExported(receiver(one)) {
					continue
				}
				one.Body = nil
			case *ast.GenDecl:
				if one.Tok == token.IMPORT {
					continue
				}
			}
			var text bytes.Buffer
			if err := format.Node(&text, files, declared); err != nil {
				t.Fatal(err)
			}
			found = append(found, text.String())
		}
	}
	slices.Sort(found)
	return strings.Join(found, "\n\n") + "\n"
}

func receiver(method *ast.FuncDecl) string {
	kind := method.Recv.List[0].Type
	if pointer, ok := kind.(*ast.StarExpr); ok {
		kind = pointer.X
	}
	return kind.(*ast.Ident).Name
}
