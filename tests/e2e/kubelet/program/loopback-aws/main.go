// Command loopback-aws serves package fakeaws until it is killed: loopback-aws ADDRESS [CERTIFICATE KEY].
package main

import (
	"fmt"
	"net/http"
	"os"

	"kubeletcases/fakeaws"
)

func main() {
	server := &http.Server{Addr: os.Args[1], Handler: fakeaws.New()}
	var err error
	if len(os.Args) == 4 {
		err = server.ListenAndServeTLS(os.Args[2], os.Args[3])
	} else {
		err = server.ListenAndServe()
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
