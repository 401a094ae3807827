// Door is the tests' way into the cluster: a SOCKS server for whoever reaches it, to whatever a pod reaches.
package main

import (
	"log"

	"github.com/armon/go-socks5"
)

func main() {
	server, err := socks5.New(&socks5.Config{})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(server.ListenAndServe("tcp", ":1080"))
}
