// A DNS server on github.com/miekg/dns that answers addresses out of a map: what a proxy written with that library
// costs at the least. It reads the same name table as lateen-proxy does.
//
//	dns-peer NAME-TABLE 127.0.0.1:PORT
package main

import (
	"encoding/json"
	"log"
	"math/rand"
	"net"
	"os"
	"strings"

	"github.com/miekg/dns"
)

type host struct {
	v4, v6 []net.IP
}

func load(path string) map[string]host {
	var file struct {
		Table map[string]struct {
			IPs []string `json:"ips"`
		} `json:"table"`
	}
	data, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	if err := json.Unmarshal(data, &file); err != nil {
		log.Fatal(err)
	}
	table := make(map[string]host, len(file.Table))
	for name, info := range file.Table {
		var h host
		for _, text := range info.IPs {
			ip := net.ParseIP(text)
			if four := ip.To4(); four != nil {
				h.v4 = append(h.v4, four)
			} else {
				h.v6 = append(h.v6, ip)
			}
		}
		table[strings.ToLower(name)+"."] = h
	}
	return table
}

func main() {
	table := load(os.Args[1])
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, query *dns.Msg) {
		answer := new(dns.Msg)
		answer.SetReply(query)
		answer.Authoritative = true
		if len(query.Question) != 1 {
			answer.Rcode = dns.RcodeFormatError
			_ = w.WriteMsg(answer)
			return
		}
		question := query.Question[0]
		found, known := table[strings.ToLower(question.Name)]
		if !known {
			answer.Rcode = dns.RcodeNameError
		}
		header := dns.RR_Header{Name: question.Name, Rrtype: question.Qtype, Class: dns.ClassINET, Ttl: 30}
		switch question.Qtype {
		case dns.TypeA:
			for _, ip := range found.v4 {
				answer.Answer = append(answer.Answer, &dns.A{Hdr: header, A: ip})
			}
		case dns.TypeAAAA:
			for _, ip := range found.v6 {
				answer.Answer = append(answer.Answer, &dns.AAAA{Hdr: header, AAAA: ip})
			}
		}
		rand.Shuffle(len(answer.Answer), func(i, j int) {
			answer.Answer[i], answer.Answer[j] = answer.Answer[j], answer.Answer[i]
		})
		size := dns.MinMsgSize
		if opt := query.IsEdns0(); opt != nil {
			answer.SetEdns0(1232, opt.Do())
			size = int(opt.UDPSize())
		}
		if _, isTCP := w.RemoteAddr().(*net.TCPAddr); isTCP {
			size = dns.MaxMsgSize
		}
		answer.Truncate(size)
		_ = w.WriteMsg(answer)
	})
	for _, network := range []string{"udp", "tcp"} {
		server := &dns.Server{Addr: os.Args[2], Net: network, Handler: handler}
		go func() { log.Fatal(server.ListenAndServe()) }()
	}
	select {}
}
