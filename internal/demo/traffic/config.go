package traffic

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Config says where the shoppers go, how many there are and how busy they are.
type Config struct {
	URL       string // of the decision plane, without a path
	ClientKey string // asks for decisions and reports impressions
	ServerKey string // sends user events and asks for explanations
	Seed      uint64

	Rate    float64 // requests per second, about
	Workers int     // goroutines, each with one connection
	Cast    []Role  // the shoppers who are watched and who act
	Crowd   int     // shoppers with the indices 0 to Crowd-1 who only ask, the popular ones most often

	Known  map[string]Known // promotions by id, for notices
	Notice func(Notice)     // is called for every change that is seen, by many goroutines; it must not block
	Logger *slog.Logger
}

// Role is one watched shopper.
type Role struct {
	UserID     string
	Name       string // as notices call the shopper
	Platform   string
	AppVersion string
	Still      bool                 // is watched but does nothing: its history is a story that must not be disturbed
	Last       map[string]time.Time // when the shopper last did what, by event type, as far as that is known
}

// Known is what notices say about a promotion.
type Known struct {
	Name  string
	Reads []string // the event types of its rule, in the order of the text
}

// Notice says that a watched shopper gained or lost a promotion in a placement.
type Notice struct {
	At        time.Time
	User      string // as Role.Name
	Still     bool   // as Role.Still
	Gained    bool
	Promotion string // its name
	Placement int32
	Why       string // "after cart_added", "30m0s after cart_added, time passed", a reason code with its detail
}

// Defaults is a load that a laptop does not notice. URL, keys, Cast and Notice are for the caller to fill in.
func Defaults() Config {
	return Config{Rate: 200, Workers: 4, Logger: slog.New(slog.DiscardHandler)}
}

// Limits of Config.
const (
	MaxRate    = 50_000
	MaxWorkers = 64
)

// Validate reports all faults.
func (c *Config) Validate() error {
	var faults []error
	if c.URL == "" || c.ClientKey == "" || c.ServerKey == "" {
		faults = append(faults, errors.New("traffic: URL and both keys are needed"))
	}
	if err := CheckRate(c.Rate); err != nil {
		faults = append(faults, err)
	}
	if c.Workers < 1 || c.Workers > MaxWorkers {
		faults = append(faults, fmt.Errorf("workers: %d is outside of 1 to %d", c.Workers, MaxWorkers))
	}
	if len(c.Cast) < c.Workers {
		faults = append(faults, fmt.Errorf("cast: %d shoppers are fewer than %d workers", len(c.Cast), c.Workers))
	}
	if c.Notice == nil || c.Logger == nil {
		faults = append(faults, errors.New("traffic: Notice and Logger are needed"))
	}
	return errors.Join(faults...)
}

// CheckRate reports whether so many requests per second can be simulated.
func CheckRate(rate float64) error {
	if !(rate > 0 && rate <= MaxRate) { // so that NaN is refused too
		return fmt.Errorf("traffic rate: %v is outside of 0 to %d", rate, MaxRate)
	}
	return nil
}
