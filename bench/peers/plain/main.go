// Command plain answers what the engine is asked over HTTP by evaluating rules as they were written with cel-go, one after another, and stops when every placement is
// full: what a team has that puts rules into CEL and a loop around them. fasthttp is in front, users are in memory, decoded, and events are counted by a function in Go
// over sorted times, so that nothing but the evaluation is slower than it could be. The bytes that it answers are those of the engine's answer.
//
// It is a child of the load harness: it reads what to be from standard input and ends with it.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"eligibility/bench/workload"

	"github.com/valyala/fasthttp"
)

// told is what the harness says.
type told struct {
	Rules, Users      int
	Now               time.Time // of the workload
	Placements, Shown int
	Fields            []string // of the header: names and values in turn
	Body              []byte
}

func main() {
	var t told
	err := json.NewDecoder(os.Stdin).Decode(&t)
	if err == nil {
		err = serve(&t)
	}
	fmt.Fprintln(os.Stderr, "plain:", err)
	os.Exit(1)
}

func serve(t *told) error {
	w, err := workload.New(workload.Config{Rules: t.Rules, Users: t.Users, Now: t.Now})
	if err != nil {
		return err
	}
	all, err := compile(w)
	if err != nil {
		return err
	}
	users := make(map[string]*user, len(w.Users))
	for i := range w.Users {
		if users[w.Users[i].ID], err = read(w, &w.Users[i]); err != nil {
			return err
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]string{"Listen": ln.Addr().String()}); err != nil {
		return err
	}
	go func() { // the end of standard input is the parent's wish, or its own end
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	server := &fasthttp.Server{NoDefaultServerHeader: true, Handler: func(ctx *fasthttp.RequestCtx) {
		var asked struct {
			UserID string `json:"userId"`
		}
		if len(ctx.Request.Header.Peek("Api-Key")) == 0 || json.Unmarshal(ctx.PostBody(), &asked) != nil || users[asked.UserID] == nil {
			ctx.SetStatusCode(fasthttp.StatusUnauthorized)
			return
		}
		shown, err := all.decide(users[asked.UserID], time.Now(), t.Placements, t.Shown)
		switch {
		case err != nil:
			ctx.Error(err.Error(), fasthttp.StatusInternalServerError)
			return
		case string(ctx.Path()) == "/shown": // for the comparison of answers
			ctx.SetBodyString(strings.Join(shown, ","))
			return
		}
		for i := 0; i < len(t.Fields); i += 2 {
			if t.Fields[i] == fasthttp.HeaderContentType {
				ctx.SetContentType(t.Fields[i+1])
				continue
			}
			ctx.Response.Header.Set(t.Fields[i], t.Fields[i+1])
		}
		ctx.SetBody(t.Body)
	}}
	return errors.Join(server.Serve(ln), errors.New("the server ended"))
}
