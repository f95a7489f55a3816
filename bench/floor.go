package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"
)

// fixed is the answer that a floor gives: the header and body of one of ours.
type fixed struct {
	Header []byte // as it came, status line first
	Body   []byte
}

// fields are the names and values, in turn, that a server has to set itself to answer the same bytes.
func (f *fixed) fields() ([]string, error) {
	_, rest, _ := bytes.Cut(f.Header, []byte("\r\n"))
	parsed, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(rest))).ReadMIMEHeader()
	if err != nil {
		return nil, err
	}
	var fields []string
	for name, values := range parsed {
		if name != "Content-Length" && name != "Date" {
			fields = append(fields, name, values[0])
		}
	}
	return fields, nil
}

// play is a child's life: it reads what it is told, serves, and answers commands until its parent ends it.
func play(role string) error {
	in := json.NewDecoder(os.Stdin)
	switch role {
	case "fasthttp", "nethttp":
		var told fixed
		if err := in.Decode(&told); err != nil {
			return err
		}
		go func() { // the end of standard input is the parent's wish, or its own end
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		}()
		return floor(role, &told)
	case "hog":
		return hog(in)
	case "engine":
		var told world
		if err := in.Decode(&told); err != nil {
			return err
		}
		return engine(&told, in)
	}
	return fmt.Errorf("there is no role %q", role)
}

// floor answers every request that has a key and a body with the same bytes.
func floor(role string, told *fixed) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fields, err := told.fields()
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(hello{Listen: ln.Addr().String()}); err != nil {
		return err
	}
	if role == "nethttp" {
		return http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body := make([]byte, r.ContentLength)
			if _, err := r.Body.Read(body); r.Header.Get("Api-Key") == "" || err != nil && !strings.Contains(err.Error(), "EOF") {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			for i := 0; i < len(fields); i += 2 {
				w.Header().Set(fields[i], fields[i+1])
			}
			w.Header().Set("Content-Length", strconv.Itoa(len(told.Body)))
			_, _ = w.Write(told.Body)
		}))
	}
	server := &fasthttp.Server{NoDefaultServerHeader: true, Handler: func(ctx *fasthttp.RequestCtx) {
		if len(ctx.Request.Header.Peek("Api-Key")) == 0 || len(ctx.PostBody()) == 0 && !ctx.IsGet() {
			ctx.SetStatusCode(http.StatusUnauthorized)
			return
		}
		for i := 0; i < len(fields); i += 2 {
			if fields[i] == "Content-Type" {
				ctx.SetContentType(fields[i+1])
				continue
			}
			ctx.Response.Header.Set(fields[i], fields[i+1])
		}
		ctx.SetBody(told.Body)
	}}
	return errors.Join(server.Serve(ln), errors.New("the floor ended"))
}
