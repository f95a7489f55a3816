package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

const project = "/v1/projects/shop"

// call makes a request and decodes its answer, which must be a success.
func (r *replica) call(address, method, path, key, body string) (map[string]any, error) {
	req, err := http.NewRequest(method, "http://"+address+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Api-Key", key)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode > 299 {
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, res.Status, text)
	}
	var answer map[string]any
	return answer, json.Unmarshal(text, &answer)
}

// prepare makes a shop whose one promotion turns with the user's country.
func (r *replica) prepare() error {
	for _, c := range [][3]string{
		{"POST", "/v1/projects", `{"project":"shop"}`},
		{"POST", project + "/attributes", `{"name":"country","type":"string"}`},
		{"POST", project + "/placements", `{"placement":101,"name":"home"}`},
		{
			"PUT", project + "/promotions/german",
			`{"name":"g","rule":"user.country == 'DE'","placements":[{"placement":101,"priority":1}],"content":{"title":"g"}}`,
		},
		{"POST", project + "/promotions/german:publish?wait=5s", `{"confirm":true}`},
	} {
		if _, err := r.call(r.Control, c[0], c[1], r.Root, c[2]); err != nil {
			return err
		}
	}
	made, err := r.call(r.Control, "POST", project+"/keys", r.Root, `{"kind":"server"}`)
	if err != nil {
		return err
	}
	r.key = made["key"].(string)
	return nil
}

func user(i int) string { return fmt.Sprintf("user-%d", i) }

// streams are all that are open.
type streams struct {
	conns []net.Conn
	told  chan notice
	ready sync.WaitGroup
	group sync.WaitGroup
}

// notice is what a client was told, and when.
type notice struct {
	user int
	at   time.Time
}

// open opens a stream for each user and waits until each was told of its first answer.
func (r *replica) open(ctx context.Context, n int) (*streams, error) {
	const openers = 8
	all := &streams{conns: make([]net.Conn, n), told: make(chan notice, 1024)}
	all.ready.Add(n)
	next := make(chan int)
	faults := make(chan error, openers)
	var group sync.WaitGroup
	for range openers {
		group.Go(func() {
			for i := range next {
				if err := r.listen(ctx, all, i); err != nil {
					faults <- fmt.Errorf("stream %d: %w", i, err)
					return
				}
			}
		})
	}
	var fault error
feed:
	for i := range n {
		select {
		case next <- i:
		case fault = <-faults:
			break feed
		}
	}
	close(next)
	group.Wait()
	if fault != nil {
		all.close()
		return nil, fault
	}
	all.ready.Wait()
	return all, nil
}

// listen opens the stream of one user and reads it until the connection is closed.
func (r *replica) listen(ctx context.Context, all *streams, i int) error {
	answer, err := r.call(r.Decision, "POST", "/v1/stream-tokens", r.key, `{"userId":"`+user(i)+`"}`)
	if err != nil {
		return err
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", r.Decision)
	if err != nil {
		return err
	}
	all.conns[i] = c
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", answer["url"]); err != nil {
		return err
	}
	all.group.Go(func() {
		first := true
		for in := bufio.NewScanner(c); in.Scan(); {
			switch {
			case !strings.HasPrefix(in.Text(), "event: changed"):
			case first:
				first = false
				all.ready.Done()
			default:
				all.told <- notice{user: i, at: time.Now()}
			}
		}
	})
	return nil
}

func (s *streams) close() {
	go func() {
		for range s.told { // lets readers end
		}
	}()
	for _, c := range s.conns {
		if c != nil {
			_ = c.Close()
		}
	}
	s.group.Wait()
	close(s.told)
}

// flip turns the answers of users spread over all streams, one after the other, and times each notice.
func (r *replica) flip(all *streams, p plan) (fromCall, fromAnswer []time.Duration, err error) {
	country := make(map[int]string)
	for k := range p.flips {
		i := k * 7919 % p.streams // a prime: neighbours in time are no neighbours in order
		if country[i] != "DE" {
			country[i] = "DE"
		} else {
			country[i] = "FR"
		}
		called := time.Now()
		if _, err := r.call(r.Decision, "PUT", "/v1/users/"+user(i), r.key, `{"attributes":{"country":"`+country[i]+`"}}`); err != nil {
			return nil, nil, err
		}
		answered := time.Now()
		select {
		case n := <-all.told:
			if n.user != i {
				return nil, nil, fmt.Errorf("flip %d of %s: %s was told", k, user(i), user(n.user))
			}
			fromCall = append(fromCall, n.at.Sub(called))
			fromAnswer = append(fromAnswer, max(0, n.at.Sub(answered)))
		case <-time.After(10 * time.Second):
			return nil, nil, fmt.Errorf("flip %d of %s: nobody was told within 10 s", k, user(i))
		}
		time.Sleep(p.pause)
	}
	return fromCall, fromAnswer, nil
}
