// Reads a dashboard from standard input as strictly as Grafana's own schema is: a field that is unknown, missing
// or of another type is an error. Prints it as the schema has it.
package main

import (
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// check ends the program with what is wrong; the library returns a list of errors also when it is empty.
func check(err error) {
	var problems cog.BuildErrors
	if errors.As(err, &problems) && len(problems) == 0 {
		return
	}
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	log.SetFlags(0)
	plugins.RegisterDefaultPlugins()
	text, err := io.ReadAll(os.Stdin)
	check(err)
	var found dashboard.Dashboard
	check(new(dashboard.Dashboard).UnmarshalJSONStrict(text))
	// Read again: by the list above the strict reading takes itself for failed, and leaves out panels and queries.
	check(json.Unmarshal(text, &found))
	check(found.Validate())
	check(json.NewEncoder(os.Stdout).Encode(found))
}
