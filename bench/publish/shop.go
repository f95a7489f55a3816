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
	"os"
	"strings"
	"sync"
	"time"

	"eligibility/internal/app"
)

const project = "/v1/projects/shop"

// shop is the project that is measured, as callers see it.
type shop struct {
	decision, control, root, key string
	generation                   int
}

func newShop(replica *app.App, rootKeyFile string) (*shop, error) {
	root, err := os.ReadFile(rootKeyFile)
	if err != nil {
		return nil, err
	}
	s := &shop{root: strings.TrimSpace(string(root))}
	s.decision, s.control, _ = replica.Addrs()
	return s, nil
}

// call sends a request to the control plane, or with the server key to the decision plane.
func (s *shop) call(address, method, path, key string, body any) (map[string]any, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest(method, "http://"+address+path, bytes.NewReader(text))
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
	answer := make(map[string]any)
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if res.StatusCode > 201 {
		return nil, fmt.Errorf("%s %s: %d %v", method, path, res.StatusCode, answer)
	}
	return answer, nil
}

type object = map[string]any

// fill declares a small schema, publishes the promotions and stores the users.
func (s *shop) fill(p plan) error {
	for _, step := range []struct {
		path string
		body object
	}{
		{"/v1/projects", object{"project": "shop"}},
		{project + "/attributes", object{"name": "country", "type": "string"}},
		{project + "/attributes", object{"name": "spent", "type": "double"}},
		{project + "/event-types", object{"name": "purchase", "properties": object{"total": "double"}}},
		{project + "/placements", object{"placement": 101, "name": "home", "limit": 3}},
	} {
		if _, err := s.call(s.control, "POST", step.path, s.root, step.body); err != nil {
			return err
		}
	}
	made, err := s.call(s.control, "POST", project+"/keys", s.root, object{"kind": "server"})
	if err != nil {
		return err
	}
	s.key, _ = made["key"].(string)
	for i := range p.promotions {
		if err := s.publish(fmt.Sprintf("p%05d", i), i+1 == p.promotions); err != nil {
			return err
		}
	}
	for i := range p.users {
		attributes := object{"country": []string{"US", "DE"}[i%2], "spent": i}
		if _, err := s.call(s.decision, "PUT", fmt.Sprintf("/v1/users/u%d", i), s.key, object{"attributes": attributes}); err != nil {
			return err
		}
	}
	return nil
}

// publish writes another revision of a promotion and puts it into force.
func (s *shop) publish(id string, wait bool) error {
	s.generation++
	rule := fmt.Sprintf("user.country == 'US' && user.spent > %d.5 && events.count('purchase', hours(24)) == 0", s.generation%400)
	if _, err := s.call(s.control, "PUT", project+"/promotions/"+id, s.root, object{
		"name": fmt.Sprint(id, " ", s.generation), "rule": rule, "content": object{"title": id},
		"placements": []object{{"placement": 101, "priority": 1 + s.generation%50}},
	}); err != nil {
		return err
	}
	path := project + "/promotions/" + id + ":publish"
	if wait {
		path += "?wait=10s"
	}
	_, err := s.call(s.control, "POST", path, s.root, object{"confirm": true})
	return err
}

// measure asks for decisions on schedule during one span, while promotions are published or not.
func (s *shop) measure(ctx context.Context, p plan, publishing bool) (decisions, publishes latencies, err error) {
	ctx, cancel := context.WithTimeout(ctx, p.span)
	defer cancel()
	var group sync.WaitGroup
	all, faults := make([]latencies, p.conns), make([]error, p.conns+1)
	for c := range p.conns {
		group.Go(func() { all[c], faults[c] = s.ask(ctx, p, c) })
	}
	if publishing {
		group.Go(func() {
			tick := time.NewTicker(p.every)
			defer tick.Stop()
			for n := 0; ; n++ {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				begun := time.Now()
				if faults[p.conns] = s.publish(fmt.Sprintf("p%05d", n%p.promotions), true); faults[p.conns] != nil {
					return
				}
				publishes = append(publishes, time.Since(begun))
			}
		})
	}
	group.Wait()
	for c := range all {
		decisions = append(decisions, all[c]...)
	}
	for _, fault := range faults {
		if fault != nil {
			return nil, nil, fault
		}
	}
	return decisions, publishes, nil
}

// ask sends this connection's share of the requests, each at its time, and takes the latency from that time: a request that waits for the one before it
// counts as slow.
func (s *shop) ask(ctx context.Context, p plan, c int) (latencies, error) {
	conn, err := net.Dial("tcp", s.decision)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	pause := time.Second * time.Duration(p.conns) / time.Duration(p.rate)
	due := time.Now().Add(pause * time.Duration(c) / time.Duration(p.conns))
	var out latencies
	for n := c; ctx.Err() == nil; n += p.conns {
		if wait := time.Until(due); wait > 0 {
			timer := time.NewTimer(wait)
			<-timer.C
		}
		body := fmt.Sprintf(`{"userId":"u%d","placements":[101]}`, n%p.users)
		if _, err := fmt.Fprintf(conn, "POST /v1/eligibility HTTP/1.1\r\nHost: bench\r\nApi-Key: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			s.key, len(body), body); err != nil {
			return nil, err
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("decision: %d %s %w", res.StatusCode, text, err)
		}
		out = append(out, time.Since(due))
		due = due.Add(pause)
	}
	return out, nil
}
