// lookup NAME [4|6]: looks a name up as a Go program does, prints its addresses.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
)

func main() {
	network := "ip"
	if len(os.Args) > 2 {
		network += os.Args[2]
	}
	addresses, err := net.DefaultResolver.LookupIP(context.Background(), network, os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, address := range addresses {
		fmt.Println(address)
	}
}
