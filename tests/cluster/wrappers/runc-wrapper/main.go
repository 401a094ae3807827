// Command runc-wrapper runs runc without asking for what this machine may not have to give: CAP_SYS_RESOURCE, and with
// it scores that spare a process when memory runs out. Where they are withheld runc refuses every privileged container,
// kind's nodes among them, although nothing in them needs either.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

const (
	runc     = "/usr/sbin/runc"
	withheld = "CAP_SYS_RESOURCE"
)

func main() {
	for _, file := range descriptions(os.Args[1:]) {
		// What cannot be read or rewritten is left as it is: runc then says what is wrong with it.
		_ = rewrite(file)
	}
	err := syscall.Exec(runc, append([]string{"runc"}, os.Args[1:]...), os.Environ())
	fmt.Fprintf(os.Stderr, "runc-wrapper: %s: %v\n", runc, err)
	os.Exit(127)
}

// descriptions finds the files in runc's arguments that describe a container (`--bundle`) or a process (`--process`).
func descriptions(args []string) (files []string) {
	for i, arg := range args {
		name, value, joined := strings.Cut(arg, "=")
		if !joined && i+1 < len(args) {
			value = args[i+1]
		}
		switch name {
		case "--bundle", "-b":
			files = append(files, filepath.Join(value, "config.json"))
		case "--process", "-p":
			files = append(files, value)
		}
	}
	return files
}

// rewrite takes the withheld capability and every negative score out of the description in a file.
func rewrite(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var description map[string]any
	decoder := json.NewDecoder(bytes.NewReader(text))
	// Numbers stay as they are written: some do not fit a float.
	decoder.UseNumber()
	if err := decoder.Decode(&description); err != nil {
		return err
	}
	process := description
	if inner, ok := description["process"].(map[string]any); ok {
		process = inner
	}
	if sets, ok := process["capabilities"].(map[string]any); ok {
		for name, set := range sets {
			if set, ok := set.([]any); ok {
				sets[name] = slices.DeleteFunc(set, func(each any) bool { return each == withheld })
			}
		}
	}
	if score, ok := process["oomScoreAdj"].(json.Number); ok && strings.HasPrefix(score.String(), "-") {
		process["oomScoreAdj"] = 0
	}
	if text, err = json.Marshal(description); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}
