package main

import "fmt"

// measureConnections compares requests for cached users with the floor over numbers of connections.
func measureConnections(p plan, r *report) error {
	t := r.table("Connections", "1,000 promotions, cached users, answers reused; closed loops.", "connections", "side", "req/s", "share", "cpu", "cpu ÷ floor", "p50", "p99")
	engine, err := spawn("engine", world{Rules: min(1000, p.sizes[len(p.sizes)-1]), Users: cachedUsers})
	if err != nil {
		return err
	}
	defer engine.end()
	same := questions(&engine.hello, cachedUsers, "")
	if err := warm(engine.hello.Listen, same); err != nil {
		return err
	}
	floor, err := floorOf(engine, same)
	if err != nil {
		return err
	}
	defer floor.end()
	counts := []int{1, 16, 64, 256}
	if p.quick {
		counts = []int{1, 64}
	}
	var kept line
	for _, conns := range counts {
		p.conns = conns
		share, err := besideFloor(p, t, conns, side{"engine", engine, engine.hello.Listen, same}, side{"fasthttp, a constant", floor, floor.hello.Listen, same})
		if err != nil {
			return err
		}
		kept.add(float64(conns), share)
	}
	r.plot("connections.svg", plot{
		title: "Share of the floor kept, by connections", x: "connections", y: "share of fasthttp's answers a second", logX: true, fromZero: true,
		lines: []line{kept.named("answers reused")},
	})
	return nil
}

// measureSDK asks as the SDKs of apps do.
func measureSDK(p plan, r *report) error {
	t := r.table("The SDK's path", "`GET /api/embedded-messaging/messages` with an app's key; 1,000 promotions, cached users.", "promotions", "side", "req/s", "share", "cpu", "cpu ÷ floor", "p50", "p99")
	n := min(1000, p.sizes[len(p.sizes)-1])
	engine, err := spawn("engine", world{Rules: n, Users: cachedUsers})
	if err != nil {
		return err
	}
	defer engine.end()
	same := make([][]byte, cachedUsers)
	for i := range same {
		same[i] = fmt.Appendf(nil, "GET /api/embedded-messaging/messages?userId=user-%06d&platform=Android&SDKVersion=3.10.0&systemVersion=14&packageName=app HTTP/1.1\r\n"+
			"Host: bench\r\nApi-Key: %s\r\n\r\n", i, engine.hello.Client)
	}
	if err := warm(engine.hello.Listen, same); err != nil {
		return err
	}
	floor, err := floorOf(engine, same)
	if err != nil {
		return err
	}
	defer floor.end()
	_, err = besideFloor(p, t, n, side{"engine, as an SDK asks", engine, engine.hello.Listen, same}, side{"fasthttp, a constant", floor, floor.hello.Listen, same})
	return err
}

// floorOf starts a floor that answers what the engine answers to the requests.
func floorOf(engine *child, requests [][]byte) (*child, error) {
	answer, err := typical(engine, requests)
	if err != nil {
		return nil, err
	}
	return floorFor("fasthttp", answer, requests[0])
}

// besideFloor measures ours beside the floor, adds a row for each, and returns the share.
func besideFloor(p plan, t *table, first int, ours, floor side) (float64, error) {
	sides := []side{floor, ours}
	got, err := interleave(p, sides)
	if err != nil {
		return 0, err
	}
	var share spread
	for i, s := range sides {
		share = ratios(got[i], got[0], func(s *sample) float64 { return s.rate })
		cpu := ratios(got[i], got[0], func(s *sample) float64 { return float64(s.cpu) })
		t.row(first, s.name, rateOf(got[i]), share, cpuOf(got[i]), cpu, latencyOf(got[i], 0.5), latencyOf(got[i], 0.99))
	}
	return share.median, nil
}
