// The applications of this folder: the first argument names the middleware, and the environment the port and the origin.
//
// Every application has /ok (GET and PUT, with a Vary of its own), /boom (a panic) and /acao (an Access-Control-Allow-Origin of its own). A
// handler that runs prints a line.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
)

var (
	origin  = os.Getenv("ORIGIN")
	isAny   = origin == "*"
	methods = []string{"GET", "PUT"}
	headers = []string{"x-a", "content-type"}
	exposed = []string{"x-id"}
	address = "127.0.0.1:" + os.Getenv("PORT")
)

const (
	maxAge = 600
	body   = `{"ok":true}`
)

func ran() { fmt.Println("ran") }

func ok(w http.ResponseWriter, _ *http.Request) {
	ran()
	w.Header().Add("Vary", "Accept-Encoding")
	w.Header().Set("X-Id", "1")
	io.WriteString(w, body)
}

func boom(http.ResponseWriter, *http.Request) {
	ran()
	panic("boom")
}

func own(w http.ResponseWriter, _ *http.Request) {
	ran()
	w.Header().Set("Access-Control-Allow-Origin", "*")
	io.WriteString(w, body)
}

func main() {
	handlers := map[string]func() http.Handler{
		"chi":     withChi,
		"echo":    withEcho,
		"gin":     withGin,
		"gorilla": withGorilla,
		"rs":      withRs,
	}
	name := os.Args[1]
	if name == "fiber" {
		log.Fatal(serveFiber())
	}
	log.Fatal(http.ListenAndServe(address, handlers[name]()))
}
