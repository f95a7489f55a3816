package fakefeed

import (
	"errors"
	"io"

	"eligibility/internal/hlc"

	"github.com/jackc/pgx/v5/pgproto3"
)

// feed streams until the client or the source ends, or a fault ends it.
func (c *connection) feed(cursor string) error {
	number := c.server.note(c.statement)
	faults := *c.server.faults.Load()
	if faults.Refuse != nil {
		c.fail(faults.Refuse)
		return nil
	}
	after, err := hlc.Parse(cursor)
	if err != nil {
		c.fail(&Error{Code: "XXUUU", Text: "AS OF SYSTEM TIME: value is neither timestamp, decimal, nor interval"})
		return nil
	}
	over := make(chan struct{})
	c.server.running.Go(func() { c.listen(over) })
	d := newDisturbance(faults, c.server.opts.Seed+number)
	err = c.server.opts.Source.Stream(c.ctx, after, func(m Message) error {
		out, end := d.disturb(m)
		for _, m := range out {
			if errors.Is(end, errCut) {
				return c.cutWithin(m)
			}
			if err := c.send(m); err != nil {
				return err
			}
		}
		return end
	})
	told, ok := errors.AsType[*Error](err)
	switch {
	case ok:
		c.fail(told)
		c.failed = false
		c.ready() // the answer to the Sync that listen has taken or will take
		if err := c.client.Flush(); err != nil || told.Code == Shutdown().Code {
			return io.EOF
		}
		close(over) // from now on listen answers
		<-c.ctx.Done()
	case errors.Is(err, errSilent):
		<-c.ctx.Done()
	}
	return io.EOF
}

// listen notices that the client has closed the connection: while a feed runs it sends no more than the Sync behind its statement. What it sends after
// the feed is over is answered from here.
func (c *connection) listen(over <-chan struct{}) {
	defer c.end()
	synced := false
	for {
		m, err := c.client.Receive()
		if err != nil {
			return
		}
		if _, sync := m.(*pgproto3.Sync); sync && !synced {
			synced = true
			continue
		}
		select {
		case <-over:
		case <-c.ctx.Done():
			return
		}
		if c.take(m) != nil {
			return
		}
	}
}

func (c *connection) row(m Message) *pgproto3.DataRow {
	values := make([][]byte, 3)
	for i, cell := range []*string{m.Table, m.Key, m.Value} {
		if cell != nil {
			values[i] = []byte(*cell)
		}
	}
	return &pgproto3.DataRow{Values: values}
}

func (c *connection) send(m Message) error {
	c.server.count.messages.Add(1)
	c.client.Send(c.row(m))
	return c.client.Flush()
}

// cutWithin sends the first half of a message.
func (c *connection) cutWithin(m Message) error {
	c.server.count.cuts.Add(1)
	whole, err := c.row(m).Encode(nil)
	if err != nil {
		return err
	}
	if err := c.client.Flush(); err != nil {
		return err
	}
	if _, err := c.conn.Write(whole[:len(whole)/2]); err != nil {
		return err
	}
	return errCut
}
