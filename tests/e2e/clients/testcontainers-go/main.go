// Prints the credentials that testcontainers-go finds for an image: tc-look-up version | IMAGE
package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/testcontainers/testcontainers-go"
)

func main() {
	if os.Args[1] == "version" {
		build, _ := debug.ReadBuildInfo()
		for _, module := range build.Deps {
			if module.Path == "github.com/testcontainers/testcontainers-go" {
				fmt.Println(module.Version)
			}
		}
		return
	}
	_, found, err := testcontainers.DockerImageAuth(context.Background(), os.Args[1])
	if err != nil {
		fmt.Println("no credentials:", err)
		return
	}
	fmt.Printf("user %s password %s\n", found.Username, found.Password)
}
