package app

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"eligibility/internal/events"
	"eligibility/internal/hlc"
	"eligibility/internal/store/crdb/standin"
)

const webhookToken = "Bearer of-the-changefeed-job"

// job plays the database's changefeed job: it sends what changed, in order, each request again until some relay takes it.
type job struct {
	c    *cluster
	stop context.CancelFunc
	work sync.WaitGroup
}

// topics are the tables that the job says the changes are of; a user's events are told like his profile.
var topics = map[events.Table]string{
	events.TableProfile: "profiles", events.TableEmail: "emails", events.TableRuleset: "rulesets", events.TableAccessKey: "api_keys",
}

func (c *cluster) startJob() {
	j := &job{c: c}
	var ctx context.Context
	ctx, j.stop = context.WithCancel(context.Background())
	now := hlc.FromTime(time.Now())
	j.work.Go(func() {
		for ctx.Err() == nil {
			_ = standin.Feed{URL: c.url}.Follow(ctx, now, func(b events.FeedBatch) error {
				if err := j.deliver(ctx, b); err != nil {
					return err
				}
				if !b.Resolved.IsZero() {
					now = b.Resolved
				}
				return nil
			})
		}
	})
	c.t.Cleanup(func() {
		j.stop()
		j.work.Wait()
	})
}

func (j *job) deliver(ctx context.Context, b events.FeedBatch) error {
	if len(b.Changes) > 0 {
		rows := make([]map[string]any, len(b.Changes))
		for i, change := range b.Changes {
			key := []string{change.Project}
			if change.Table != events.TableRuleset {
				key = append(key, change.Key)
			}
			rows[i] = map[string]any{"topic": topics[change.Table], "key": key, "after": nil, "updated": change.At.String()}
		}
		if err := j.post(ctx, map[string]any{"payload": rows, "length": len(rows)}); err != nil {
			return err
		}
	}
	if b.Resolved.IsZero() {
		return nil
	}
	return j.post(ctx, map[string]any{"resolved": b.Resolved.String()})
}

func (j *job) post(ctx context.Context, body map[string]any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		at := j.c.relays[rand.N(len(j.c.relays))].at().WebhookListen
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+at+"/v1/changes/main", strings.NewReader(string(text)))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", webhookToken)
		res, err := j.c.client.Do(req)
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		<-time.After(2 * time.Millisecond)
	}
	return ctx.Err()
}

// The database sends its changes instead of being asked for them. Relays are killed in turn; nothing is stale and nothing is lost all the same.
func TestKillOfRelaysThatAreSentTheChanges(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(webhookToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := newCluster(t, func(cfg *Config) {
		cfg.Feed, cfg.WebhookTokenFile, cfg.WebhookListen = feedWebhook, token, "127.0.0.1:0"
	})
	c.shop()
	j := &jury{c: c, random: rand.New(rand.NewPCG(1, 2))}
	j.start()
	defer j.stop()
	j.healthy()
	j.suffer("none", 1, func() { <-time.After(time.Second) })
	j.suffer("relay SIGKILL", min(3, clusterKills(t)), func() {
		leader := c.awaitLeader()
		leader.end(syscall.SIGKILL)
		c.eventually("the standby leads", func() bool { return c.leader() != nil })
		leader.launch()
		leader.await()
	})
	j.stop()
	t.Logf("%d writes acknowledged\n%s", j.writes.Load(), j.table())
}
